#include "data/npy.h"

#include <cmath>

#include "base/file.h"
#include "base/float16.h"
#include "data/fixture.h"
#include "data/zip.h"

namespace pare::data {
namespace {

std::string npy(const std::string& descr, const std::string& shape, const std::string& elements, bool fortran = false,
                int version = 1) {
  std::string dictionary =
      "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': (" + shape + "), }\n";
  std::string content("\x93NUMPY", 6);
  content += {static_cast<char>(version), '\0', static_cast<char>(dictionary.size()), '\0'};
  if (version > 1) content += std::string(2, '\0');
  return content + dictionary + elements;
}

template <class T>
std::string raw(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

class Npy : public DataTest {
 protected:
  Tensor read(const std::string& content) const { return read_npy(write("x.npy", content)); }
};

TEST_F(Npy, EveryNumericTypeRoundTrips) {
  for (int number = 1; number <= 26; ++number) {
    const auto dtype = static_cast<DType>(number);
    if (dtype == DType::kString || dtype == DType::kComplex64 || dtype == DType::kComplex128) continue;
    const Tensor tensor = cast(Tensor::from<float>({2, 3}, {0, 1, 1, 0, 1, 0}), dtype);
    write_npy(folder_ / "x.npy", tensor);
    const Tensor back = read_npy(folder_ / "x.npy");
    const bool known = bits(dtype) >= 8 && dtype != DType::kBFloat16 && (!is_float(dtype) || bits(dtype) > 8);
    EXPECT_EQ(back.dtype(), known                                              ? dtype
                            : is_float(dtype)                                  ? DType::kFloat32
                            : dtype == DType::kUint4 || dtype == DType::kUint2 ? DType::kUint8
                                                                               : DType::kInt8);
    EXPECT_TRUE(back.identical(cast(tensor, back.dtype()))) << name(dtype);
  }
}

TEST_F(Npy, Shapes) {
  for (const Dims& dims : {Dims{}, Dims{1}, Dims{0}, Dims{2, 0, 3}, Dims{2, 3, 1}}) {
    const Tensor tensor(DType::kInt16, dims);
    write_npy(folder_ / "x.npy", tensor);
    EXPECT_TRUE(read_npy(folder_ / "x.npy").identical(tensor)) << to_string(dims);
    EXPECT_EQ(read_file(folder_ / "x.npy").find('\n') % 64, 63u);  // elements are aligned
  }
}

TEST_F(Npy, ColumnMajorIsTransposed) {
  const Tensor tensor = read(npy("<i4", "2, 3", raw<std::int32_t>({1, 4, 2, 5, 3, 6}), true));
  EXPECT_TRUE(tensor.identical(Tensor::from<std::int32_t>({2, 3}, {1, 2, 3, 4, 5, 6})));
  const Tensor cube = read(npy("|u1", "2, 2, 2", raw<std::uint8_t>({0, 4, 2, 6, 1, 5, 3, 7}), true));
  EXPECT_TRUE(cube.identical(Tensor::from<std::uint8_t>({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7})));
}

TEST_F(Npy, VersionsAndMisalignment) {
  for (const int version : {1, 2, 3}) {
    EXPECT_TRUE(
        read(npy("<f8", "2,", raw<double>({1.5, -2}), false, version)).identical(Tensor::from<double>({2}, {1.5, -2})));
  }
}

TEST_F(Npy, Refusals) {
  expect_failure([&] { read("hello there"); }, ErrorCode::kBadInput, {"x.npy: is not a numpy array"});
  expect_failure([&] { read(npy(">f4", "1,", "1234")); }, ErrorCode::kUnsupported, {"big-endian", ">f4"});
  expect_failure([&] { read(npy("<U3", "1,", std::string(12, 'x'))); }, ErrorCode::kUnsupported,
                 {"element type", "<U3"});
  expect_failure([&] { read(npy("|O", "1,", "12345678")); }, ErrorCode::kUnsupported, {"'|O'"});
  expect_failure([&] { read(npy("<f4", "3,", std::string(8, '\0'))); }, ErrorCode::kBadInput,
                 {"truncated", "12 bytes", "8"});
  expect_failure([&] { read(npy("<f4", "1,", std::string(8, '\0'))); }, ErrorCode::kBadInput, {"trailing bytes"});
  expect_failure([&] { read(npy("<f4", "-1,", "1234")); }, ErrorCode::kBadInput, {"bad shape"});
  expect_failure([&] { read(npy("<f4", "99999999999,99999999999", "1234")); }, ErrorCode::kBadInput, {"more elements"});
  expect_failure([&] { write_npy(folder_ / "s.npy", Tensor::strings({1}, {"a"})); }, ErrorCode::kUnsupported,
                 {"only numbers"});
  EXPECT_FALSE(fs::exists(folder_ / "s.npy"));
  const std::string whole = npy("<f4", "1,", "1234");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    expect_failure([&] { read(whole.substr(0, length)); }, ErrorCode::kBadInput, {"x.npy: "});
  }
}

class Npz : public DataTest {
 protected:
  void SetUp() override {
    DataTest::SetUp();
    images_ = Tensor(DType::kUint8, {4, 2, 3});
    for (std::size_t i = 0; i < 24; ++i) images_.mutable_data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i);
    write_npz(folder_ / "a.npz", {{"ids", Tensor::from<std::int64_t>({4, 2}, {1, 2, 3, 4, 5, 6, 7, 8})},
                                  {"mask", Tensor::from<float>({4, 1}, {0, 1, 0, 1})},
                                  {"y", Tensor::from<std::int32_t>({4}, {3, 0, 1, 2})},
                                  {"pictures", images_}});
  }
  const std::vector<InputSpec> inputs_{{"ids", DType::kInt64, {-1, 2}}, {"mask", DType::kFloat32, {-1, 1}}};
  Tensor images_;
};

TEST_F(Npz, RoundTripAndDamage) {
  const NamedTensors back = read_npz(folder_ / "a.npz");
  ASSERT_EQ(back.size(), 4u);
  EXPECT_TRUE(back.at("pictures").identical(images_));
  const std::string whole = read_file(folder_ / "a.npz");
  for (const std::size_t keep : {std::size_t{0}, std::size_t{3}, whole.size() / 2, whole.size() - 1}) {
    expect_failure([&] { read_npz(write("t.npz", whole.substr(0, keep))); }, ErrorCode::kBadInput, {"t.npz: "});
  }
  std::string wrong = whole;
  wrong[wrong.find('\n') + 3] ^= 1;  // an element of the first array
  expect_failure([&] { read_npz(write("t.npz", wrong)); }, ErrorCode::kBadInput,
                 {"t.npz member ids.npy: the zip member is damaged"});
  expect_failure([&] { read_npz(write("t.npz", "no zip file whatever it is called")); }, ErrorCode::kBadInput,
                 {"is not a zip file"});
}

// One deflated member, byte by byte as zip lays it out.
TEST_F(Npz, DeflatedMembers) {
  const std::string content = npy("<f4", "64,", std::string(256, '\0')), packed = gzip(content);
  const std::string deflated = packed.substr(10, packed.size() - 18);
  const auto number = [](std::uint64_t value, int width) {
    std::string out;
    for (int i = 0; i < width; ++i) out += static_cast<char>(value >> (8 * i));
    return out;
  };
  const auto crc = crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size()));
  const auto common = [&](std::uint64_t method, std::uint64_t size) {
    return number(20, 2) + number(0, 2) + number(method, 2) + number(0, 4) + number(crc, 4) +
           number(deflated.size(), 4) + number(size, 4) + number(5, 2) + number(0, 2);
  };
  const auto file = [&](std::uint64_t method, std::uint64_t size) {
    const std::string local = number(0x04034b50, 4) + common(method, size) + "x.npy" + deflated;
    const std::string directory =
        number(0x02014b50, 4) + number(20, 2) + common(method, size) + number(0, 14) + "x.npy";
    return local + directory + number(0x06054b50, 4) + number(0, 4) + number(1, 2) + number(1, 2) +
           number(directory.size(), 4) + number(local.size(), 4) + number(0, 2);
  };
  EXPECT_TRUE(read_npz(write("d.npz", file(8, content.size()))).at("x").identical(Tensor(DType::kFloat32, {64})));
  expect_failure([&] { read_npz(write("d.npz", file(8, content.size() + 1))); }, ErrorCode::kBadInput, {"damaged"});
  expect_failure([&] { read_npz(write("d.npz", file(8, 0xFFFFFFF0))); }, ErrorCode::kBadInput, {"damaged"});
  expect_failure([&] { read_npz(write("d.npz", file(14, content.size()))); }, ErrorCode::kUnsupported,
                 {"zip compression", "14"});
}

TEST_F(Npz, ArraysByInputName) {
  const Dataset data = open("test: {format: npz, file: a.npz, labels: y}", inputs_, 4);
  EXPECT_EQ(data.test->size(), 4);
  const Batch batch = data.test->batch({3, 1});
  EXPECT_EQ(batch.inputs.size(), 2u);
  EXPECT_TRUE(batch.inputs.at("ids").identical(Tensor::from<std::int64_t>({2, 2}, {7, 8, 3, 4})));
  EXPECT_TRUE(batch.inputs.at("mask").identical(Tensor::from<float>({2, 1}, {1, 1})));
  EXPECT_EQ(batch.labels, (std::vector<std::int64_t>{2, 0}));
  const Dataset renamed =
      open("test: {format: npz, file: a.npz, inputs: {tokens: ids}}", {{"tokens", DType::kInt32, {-1, 2}}});
  EXPECT_TRUE(renamed.test->batch({0}).inputs.at("tokens").identical(Tensor::from<std::int32_t>({1, 2}, {1, 2})));
}

TEST_F(Npz, Images) {
  const Dataset data = open(
      "train: {format: npz, file: a.npz, images: pictures, labels: y, augment: {hflip: true}}\n"
      "val: {holdout: 0}\npreprocess: {scale: 2}",
      {{"x", DType::kFloat32, {-1, 1, 2, 3}}});
  EXPECT_EQ(data.train->batch({2}).inputs.at("x").data<float>()[1], 6.5f);
}

TEST_F(Npz, Mismatches) {
  const std::string yaml = "test: {format: npz, file: a.npz, labels: y}";
  expect_error(yaml, ErrorCode::kBadInput, {"no array for the model's input 'idz'", "ids"},
               {{"idz", DType::kInt64, {-1, 2}}});
  expect_error(yaml, ErrorCode::kBadInput, {"array 'ids': has another shape", "expected 3, got 2"},
               {{"ids", DType::kInt64, {-1, 3}}});
  expect_error(yaml, ErrorCode::kBadInput, {"array 'ids'", "element type", "expected float32, got int64"},
               {{"ids", DType::kFloat32, {-1, 2}}});
  expect_error("test: {format: npz, file: a.npz, labels: z}", ErrorCode::kUsage, {"test.labels: no such array", "'z'"});
  expect_error("test: {format: npz, file: a.npz, labels: mask}", ErrorCode::kBadInput,
               {"'mask': does not hold labels"});
  expect_error("test: {format: npz, file: a.npz, images: ids}", ErrorCode::kBadInput, {"'ids': does not hold images"});
  expect_error(yaml, ErrorCode::kBadInput, {"sample 0: the label is out of range", "0 to 2"}, inputs_, 3);
  expect_error(yaml + "\npreprocess: {scale: 255}", ErrorCode::kUsage, {"preprocess", "applies to images"}, inputs_);
  expect_error("train: {format: npz, file: a.npz, augment: {hflip: true}}", ErrorCode::kUsage, {"train.augment"},
               inputs_);
  write_npz(folder_ / "b.npz", {{"ids", Tensor::from<std::int64_t>({1, 1}, {300})}});
  const Dataset wide = open("test: {format: npz, file: b.npz}", {{"ids", DType::kInt8, {-1, 1}}});
  expect_failure([&] { wide.test->batch({0}); }, ErrorCode::kBadInput,
                 {"the model's input type cannot", "int8", "300"});
}

TEST_F(Npz, RowsAndValuesAreChecked) {
  write_npz(folder_ / "b.npz", {{"a", Tensor(DType::kFloat32, {3, 1})}, {"b", Tensor(DType::kFloat32, {2, 1})}});
  expect_error("test: {format: npz, file: b.npz}", ErrorCode::kBadInput,
               {"array 'b': has another number of samples than array 'a'", "expected 3, got 2"});
  for (const float bad : {NAN, INFINITY}) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat16, DType::kFloat64}) {
      write_npz(folder_ / "b.npz", {{"a", cast(Tensor::from<float>({3, 2}, {0, 0, 0, 0, 0, bad}), dtype)}});
      expect_error("test: {format: npz, file: b.npz}", ErrorCode::kBadInput,
                   {"array 'a': holds a value that is not finite", "sample 2"});
    }
  }
  write_npz(folder_ / "b.npz", {{"a", Tensor(DType::kFloat32, {0, 2})}});
  expect_error("test: {format: npz, file: b.npz}", ErrorCode::kBadInput, {"holds no samples"});
  write_npz(folder_ / "b.npz", {{"a", Tensor(DType::kFloat32, {3, 1})}, {"y", Tensor(DType::kInt64, {2})}});
  expect_error("test: {format: npz, file: b.npz, labels: y}", ErrorCode::kBadInput,
               {"numbers of samples and labels differ"});
}

TEST_F(Npz, NpyFiles) {
  write_npy(folder_ / "x.npy", Tensor::from<double>({2, 3}, {1, 2, 3, 4, 5, 6}));
  write_npy(folder_ / "y.npy", Tensor::from<std::uint8_t>({2}, {1, 0}));
  write_npy(folder_ / "p.npy", images_);
  const Dataset data = open("test: {format: npy, file: x.npy, labels: y.npy}", {{"in", DType::kFloat32, {-1, 3}}});
  EXPECT_TRUE(data.test->batch({1}).inputs.at("in").identical(Tensor::from<float>({1, 3}, {4, 5, 6})));
  EXPECT_EQ(data.test->batch({0}).labels[0], 1);
  EXPECT_EQ(only_input(open("test: {format: npy, images: p.npy}").test->batch({0})).dims(), (Dims{1, 1, 2, 3}));
  expect_error("test: {format: npy, labels: y.npy}", ErrorCode::kUsage, {"one of images (uint8 pixels) and file"});
}

}  // namespace
}  // namespace pare::data
