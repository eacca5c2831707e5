#include "pare/tensor.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "pare/error.h"

namespace pare {
namespace {

ErrorCode code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode{0};
}

TEST(DTypes, NamesAndNumbersAreOneToOne) {
  for (int i = 0; i <= 26; ++i) {
    const auto type = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_name(name(type)), type);
    EXPECT_EQ(is_valid_dtype(i), i >= 1);
    EXPECT_FALSE(is_float(type) && is_integer(type));
  }
  EXPECT_FALSE(is_valid_dtype(27));
  EXPECT_FALSE(is_valid_dtype(-1));
  EXPECT_FALSE(dtype_from_name("float"));
  EXPECT_EQ(name(static_cast<DType>(200)), "undefined");
  EXPECT_EQ(bits(DType::kInt4), 4);
  EXPECT_EQ(bits(DType::kString), 0);
}

TEST(Shapes, CountElementsAndRefuseNonsense) {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({2, 3, 4}), 24);
  EXPECT_EQ(element_count({2, 0, 4}), 0);
  EXPECT_EQ(element_count({kHuge, 4, 0}), 0);
  EXPECT_EQ(code_of([] { element_count({2, -1}); }), ErrorCode::kBadInput);
  EXPECT_EQ(code_of([] { element_count({kHuge, 2}); }), ErrorCode::kBadInput);
  EXPECT_EQ(code_of([] { element_count({0, -1}); }), ErrorCode::kBadInput);
  EXPECT_EQ(code_of([] { bytes_for(DType::kFloat64, {kHuge}); }), ErrorCode::kBadInput);
  EXPECT_EQ(to_string({2, 3}), "2x3");
  EXPECT_EQ(to_string({}), "scalar");
}

TEST(Tensors, PackSubByteTypes) {
  EXPECT_EQ(bytes_for(DType::kInt4, {3}), 2u);
  EXPECT_EQ(bytes_for(DType::kUint2, {5}), 2u);
  EXPECT_EQ(bytes_for(DType::kFloat32, {0, 7}), 0u);
}

TEST(Tensors, AreZeroedAndAligned) {
  for (const std::int64_t n : {0, 1, 63, 64, 100000}) {
    const Tensor tensor(DType::kFloat32, {n});
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.raw()) % 64, 0u);
    for (const float value : tensor.data<float>()) ASSERT_EQ(value, 0);
  }
}

TEST(Tensors, CopyOnWrite) {
  Tensor a = Tensor::from<float>({2}, {1, 2});
  Tensor b = a;
  EXPECT_EQ(a.raw(), b.raw());
  b.mutable_data<float>()[0] = 5;
  EXPECT_EQ(a.data<float>()[0], 1);
  EXPECT_EQ(b.data<float>()[0], 5);
  const std::byte* before = b.raw();
  b.mutable_data<float>()[1] = 6;  // sole owner: in place
  EXPECT_EQ(b.raw(), before);
}

TEST(Tensors, ViewsAreNeverWritten) {
  const std::vector<float> values{1, 2, 3};
  Tensor view = Tensor::view(DType::kFloat32, {3}, values.data(), nullptr);
  EXPECT_EQ(view.raw(), reinterpret_cast<const std::byte*>(values.data()));
  view.mutable_data<float>()[0] = 9;
  EXPECT_EQ(values[0], 1);
  EXPECT_EQ(view.data<float>()[0], 9);
  EXPECT_EQ(view.data<float>()[2], 3);
}

TEST(Tensors, ViewsNeedNotBeAligned) {
  auto bytes = std::make_shared<std::vector<std::byte>>(4 * sizeof(float) + 1);
  const std::vector<float> values = {1, -2, 3, 0.5F};
  std::memcpy(bytes->data() + 1, values.data(), 4 * sizeof(float));
  const Tensor view = Tensor::view(DType::kFloat32, {2, 2}, bytes->data() + 1, bytes), same = view;
  EXPECT_EQ(view.raw(), bytes->data() + 1);
  const Tensor alone = view.aligned();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(alone.raw()) % alignof(float), 0u);
  EXPECT_EQ(alone.raw(), alone.aligned_raw());
  EXPECT_NE(alone.raw(), view.aligned_raw()) << "a copy that nothing else keeps";
  EXPECT_EQ(view.aligned_raw(), same.aligned_raw()) << "made once for all that share the view";
  EXPECT_EQ(view.reshaped({4}).aligned_raw(), view.aligned_raw());
  const std::span<const float> read = view.data<float>();
  EXPECT_EQ(std::vector<float>(read.begin(), read.end()), values);
  EXPECT_TRUE(view.identical(alone));
  Tensor written = view;
  written.mutable_data<float>()[0] = 7;
  EXPECT_EQ(written.data<float>()[0], 7);
  EXPECT_EQ(view.data<float>()[0], 1);
  const Tensor straight = Tensor::view(DType::kUint8, {4}, bytes->data() + 1, bytes);
  EXPECT_EQ(straight.aligned_raw(), straight.raw()) << "bytes are aligned everywhere";
}

TEST(Tensors, RefuseAnotherTypeShapeOrCount) {
  const Tensor tensor = Tensor::from<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(code_of([&] { tensor.data<int>(); }), ErrorCode::kInternal);
  EXPECT_EQ(code_of([&] { tensor.reshaped({5}); }), ErrorCode::kBadInput);
  EXPECT_EQ(code_of([] { Tensor::from<float>({3}, {1, 2}); }), ErrorCode::kInternal);
  EXPECT_EQ(code_of([] { Tensor::strings({2}, {"a"}); }), ErrorCode::kInternal);
  EXPECT_EQ(code_of([&] { tensor.dim(2); }), ErrorCode::kInternal);
  EXPECT_EQ(tensor.dim(-1), 3);
  EXPECT_EQ(tensor.reshaped({3, 2}).raw(), tensor.raw());
}

TEST(Tensors, AllocationFailureIsAnError) {
  EXPECT_EQ(code_of([] { Tensor(DType::kFloat32, {std::int64_t{1} << 60}); }), ErrorCode::kMemory);
}

TEST(Tensors, IdenticalComparesBits) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor a = Tensor::from<float>({2}, {nan, 0});
  EXPECT_TRUE(a.identical(a.clone()));
  EXPECT_NE(a.raw(), a.clone().raw());
  EXPECT_FALSE(a.identical(Tensor::from<float>({2}, {nan, -0.0f})));
  EXPECT_FALSE(a.identical(a.reshaped({2, 1})));
  EXPECT_TRUE(Tensor::strings({1}, {"x"}).identical(Tensor::strings({1}, {"x"})));
  EXPECT_FALSE(Tensor::strings({1}, {"x"}).identical(Tensor::strings({1}, {"y"})));
  EXPECT_TRUE(Tensor().identical(Tensor()));
}

TEST(Tensor, ContentIsCheckedBeforeItIsFirstRead) {
  const std::vector<float> memory = {1, 2};
  int checks = 0;
  bool good = false;
  const Tensor tensor = Tensor::view(DType::kFloat32, {2}, memory.data(), nullptr, [&] {
    ++checks;
    if (!good) throw Error(ErrorCode::kBadInput, "memory", "is damaged");
  });
  const Tensor other = tensor.reshaped({1, 2});
  EXPECT_EQ(tensor.address(), reinterpret_cast<const std::byte*>(memory.data()));
  EXPECT_EQ(checks, 0);
  EXPECT_THROW(tensor.raw(), Error);
  EXPECT_THROW(tensor.data<float>(), Error);
  EXPECT_THROW(other.clone(), Error);
  EXPECT_THROW(Tensor(tensor).mutable_raw(), Error);
  EXPECT_THROW(tensor.identical(Tensor(DType::kFloat32, {2})), Error);
  EXPECT_EQ(checks, 5);
  good = true;
  EXPECT_EQ(tensor.data<float>()[1], 2);
  EXPECT_EQ(other.data<float>()[0], 1);
  EXPECT_EQ(tensor.clone().data<float>()[1], 2);
  EXPECT_EQ(checks, 6);
}

}  // namespace
}  // namespace pare
