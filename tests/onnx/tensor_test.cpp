// Every element type, raw and typed, through read_tensor_proto and through a model.
#include <gtest/gtest.h>

#include "expect_error.h"
#include "same_model.h"
#include "wire_builder.h"

namespace pare::test {
namespace {

Tensor read(const Message& message) {
  TemporaryFolder folder;
  return onnx::read_tensor_proto(folder.write("t.pb", message.bytes()));
}

TEST(Tensors, EveryTypeIsKeptAsRawData) {
  for (int type = 1; type <= 26; ++type) {
    const auto dtype = static_cast<DType>(type);
    if (dtype == DType::kString) continue;
    for (const std::int64_t count : {0, 1, 3, 5000}) {  // small, and large enough to be cut out
      const std::size_t bytes = bytes_for(dtype, {count});
      std::string data(bytes, '\0');
      for (std::size_t i = 0; i < bytes; ++i) data[i] = static_cast<char>(i * 37 + 11);
      const Message w = tensor("w", type, {count}).text(9, data);
      const std::string file = model(graph({{kNode, node("Relu", {"x"}, {"y"})}, {kInitializer, w}})).bytes();
      const ir::Model m = onnx::parse_model(file, "m", ".");
      const Tensor& t = *m.graph.constant(m.graph.find_value("w"));
      ASSERT_EQ(t.dtype(), dtype);
      ASSERT_EQ(t.bytes(), bytes) << name(dtype);
      ASSERT_TRUE(bytes == 0 || std::memcmp(t.raw(), data.data(), bytes) == 0) << name(dtype) << count;
      expect_same(m, onnx::parse_model(onnx::serialize_model(m), "m", "."), std::string(name(dtype)));
    }
  }
}

template <class T>
void expect_values(const Tensor& t, DType dtype, const std::vector<T>& values) {
  EXPECT_EQ(t.dtype(), dtype);
  ASSERT_EQ(t.bytes(), values.size() * sizeof(T)) << name(dtype);
  EXPECT_EQ(std::memcmp(t.raw(), values.data(), t.bytes()), 0) << name(dtype);
}

TEST(Tensors, TypedFields) {
  expect_values<float>(read(tensor("t", 1, {2}).fixed32(4, 1.5f).fixed32(4, -2)), DType::kFloat32, {1.5f, -2});
  expect_values<float>(read(tensor("t", 1, {2}).text(4, raw<float>({1.5f, -2}))), DType::kFloat32,
                       {1.5f, -2});  // packed
  expect_values<float>(read(tensor("t", 14, {1}).text(4, raw<float>({1, 2}))), DType::kComplex64, {1, 2});
  expect_values<double>(read(tensor("t", 11, {1}).text(10, raw<double>({0.1}))), DType::kFloat64, {0.1});
  expect_values<double>(read(tensor("t", 15, {1}).text(10, raw<double>({1, 2}))), DType::kComplex128, {1, 2});
  expect_values<std::int64_t>(read(tensor("t", 7, {2}).number(7, -5).number(7, 6)), DType::kInt64, {-5, 6});
  expect_values<std::uint64_t>(read(tensor("t", 13, {1}).number(11, -1)), DType::kUint64, {~std::uint64_t{0}});
  expect_values<std::uint32_t>(read(tensor("t", 12, {1}).number(11, 4000000000)), DType::kUint32, {4000000000});
  expect_values<std::int32_t>(read(tensor("t", 6, {1}).number(5, -7)), DType::kInt32, {-7});
  expect_values<std::int16_t>(read(tensor("t", 5, {2}).number(5, -300).number(5, 300)), DType::kInt16, {-300, 300});
  expect_values<std::uint16_t>(read(tensor("t", 10, {1}).number(5, 0x3c00)), DType::kFloat16, {0x3c00});
  expect_values<std::uint16_t>(read(tensor("t", 16, {1}).number(5, 0xbf80)), DType::kBFloat16, {0xbf80});
  expect_values<std::int8_t>(read(tensor("t", 3, {2}).number(5, -128).number(5, 127)), DType::kInt8, {-128, 127});
  expect_values<std::uint8_t>(read(tensor("t", 9, {2}).number(5, 1).number(5, 0)), DType::kBool, {1, 0});
  expect_values<std::uint8_t>(read(tensor("t", 17, {1}).number(5, 0x7e)), DType::kFloat8E4M3FN, {0x7e});
  expect_values<std::uint8_t>(read(tensor("t", 22, {3}).number(5, 0x21).number(5, 0x03)), DType::kInt4, {0x21, 0x03});
  expect_values<std::uint8_t>(read(tensor("t", 26, {5}).number(5, 0xe4).number(5, 0x01)), DType::kInt2, {0xe4, 0x01});
  EXPECT_EQ(read(tensor("t", 1, {0})).numel(), 0);
  EXPECT_EQ(read(tensor("t", 1, {}).fixed32(4, 3)).rank(), 0);
}

TEST(Tensors, Strings) {
  const Message t = tensor("t", 8, {2}).text(6, "a").text(6, std::string("b\0c", 3));
  EXPECT_EQ(read(t).string_data(), (std::vector<std::string>{"a", std::string("b\0c", 3)}));
  const ir::Model m =
      onnx::parse_model(model(graph({{kNode, node("Relu", {"x"}, {"y"})}, {kInitializer, t}})).bytes(), "m", ".");
  expect_same(m, onnx::parse_model(onnx::serialize_model(m), "m", "."), "strings");
  expect_error(ErrorCode::kBadInput, {"'t'", "strings"}, [] { read(tensor("t", 8, {1}).text(9, "a")); });
}

TEST(Tensors, FloatsAreAlignedWhereverTheyLieInTheFile) {
  for (int shift = 0; shift < 4; ++shift) {
    const Message w =
        float_tensor("w", std::vector<float>(4096, 1.25f)).text(12, std::string(static_cast<std::size_t>(shift), 'd'));
    const Message file = model(graph({{kNode, node("Relu", {"x"}, {"y"})}, {kInitializer, w}}))
                             .text(6, std::string(static_cast<std::size_t>(shift), 'd'));
    TemporaryFolder folder;
    const ir::Model m = onnx::read_model(folder.write(
        "m.onnx", Message().text(2, std::string(static_cast<std::size_t>(shift), 'p')).bytes() + file.bytes()));
    const Tensor& t = *m.graph.constant(m.graph.find_value("w"));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t.data<float>().data()) % alignof(float), 0u);
    EXPECT_EQ(t.data<float>()[4095], 1.25f);
  }
}

TEST(Tensors, BytesAreViewedInTheMappedFile) {
  TemporaryFolder folder;
  const Message w = tensor("w", 3, {100000}).text(9, std::string(100000, 'q'));
  const auto path =
      folder.write("m.onnx", model(graph({{kNode, node("Relu", {"x"}, {"y"})}, {kInitializer, w}})).bytes());
  const ir::Model a = onnx::read_model(path);
  const Tensor held = *a.graph.constant(a.graph.find_value("w"));
  const Tensor copy = held.clone();
  EXPECT_NE(held.raw(), copy.raw());
  const auto address = reinterpret_cast<std::uintptr_t>(held.raw());
  // The distance to the page's begin is that in the file: the bytes are the file's own, not a copy of them.
  const std::string bytes = model(graph({{kNode, node("Relu", {"x"}, {"y"})}, {kInitializer, w}})).bytes();
  EXPECT_EQ(address % 4096, bytes.find(std::string(100, 'q')) % 4096);
}

TEST(Tensors, ATensorFileMayBeDamagedToo) {
  expect_error(ErrorCode::kBadInput, {"t.pb", "truncated"}, [] {
    TemporaryFolder folder;
    const std::string bytes = float_tensor("t", {1, 2, 3}).bytes();
    onnx::read_tensor_proto(folder.write("t.pb", bytes.substr(0, bytes.size() - 2)));
  });
}

}  // namespace
}  // namespace pare::test
