// Every coding on tensors of every kind and odd shapes, and that each does what it is there for.
#include "pack/coding.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "pack/tensors.h"

namespace pare::test {
namespace {

Tensor random_tensor(DType dtype, const Dims& dims, double zeros, Rng& rng) {
  Tensor tensor(dtype, dims);
  std::byte* bytes = tensor.mutable_raw();
  const std::size_t width = static_cast<std::size_t>(std::max(bits(dtype), 8)) / 8;
  for (std::size_t i = 0; i < tensor.bytes(); i += width)
    if (rng.uniform() >= zeros)
      for (std::size_t b = 0; b < width; ++b) bytes[i + b] = static_cast<std::byte>(rng.below(256));
  return tensor;
}

RC_GTEST_PROP(Coding, EveryTensorComesBack, ()) {
  static constexpr DType kTypes[] = {DType::kFloat32, DType::kInt8,     DType::kUint8,     DType::kFloat16,
                                     DType::kInt64,   DType::kUint4,    DType::kInt2,      DType::kBool,
                                     DType::kFloat64, DType::kBFloat16, DType::kComplex128};
  Rng rng(*rc::gen::arbitrary<std::uint64_t>(), kRngTest);
  std::vector<Tensor> tensors;
  const std::uint64_t count = 1 + rng.below(6);
  for (std::uint64_t i = 0; i < count; ++i) {
    Dims dims(rng.below(5));
    for (std::int64_t& dim : dims) dim = static_cast<std::int64_t>(rng.below(dims.size() > 2 ? 9 : 90));
    tensors.push_back(random_tensor(kTypes[rng.below(std::size(kTypes))], dims, rng.uniform() * 1.2, rng));
  }
  for (const bool stored : {false, true}) {
    const pack::SectionContent section = pack::write_tensors(tensors, stored);
    const std::vector<Tensor> again = pack::read_tensors(section.bytes, section.checked, nullptr, "tensors");
    RC_ASSERT(again.size() == tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) RC_ASSERT(again[i].identical(tensors[i]));
  }
}

std::size_t coded(const Tensor& tensor) { return pack::write_tensors({tensor}, false).bytes.size(); }

double log2_choose(int n, int k) {
  return (std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1)) / std::log(2.0);
}

TEST(Coding, BalancedSparsityCostsWhatItsPositionsAndValuesHold) {
  Rng rng(3, kRngTest);
  constexpr int kGroups = 4000, kSurvivors = 8, kValues = 16;
  std::vector<std::int8_t> values(64 * kGroups);
  for (int g = 0; g < kGroups; ++g)
    for (int left = kSurvivors; left > 0;) {
      std::int8_t& v = values[static_cast<std::size_t>(64 * g) + rng.below(64)];
      if (v != 0) continue;
      v = static_cast<std::int8_t>(1 + rng.below(kValues));
      --left;
    }
  const double least = kGroups * (log2_choose(64, kSurvivors) + kSurvivors * std::log2(kValues)) / 8;
  const auto size = static_cast<double>(coded(Tensor::from<std::int8_t>({kGroups / 4, 256}, values)));
  EXPECT_LT(size, 1.02 * least);
  EXPECT_GT(size, least);  // otherwise the test is wrong
}

TEST(Coding, ColumnsOfAMatrixAreFoundAsGroups) {
  Rng rng(4, kRngTest);
  constexpr std::int64_t kRows = 256, kColumns = 300;
  std::vector<std::int8_t> values(kRows * kColumns);
  for (std::int64_t c = 0; c < kColumns; ++c)
    for (std::int64_t first = 0; first < kRows; first += 64)
      for (int left = 4; left > 0;) {
        std::int8_t& v =
            values[static_cast<std::size_t>((first + static_cast<std::int64_t>(rng.below(64))) * kColumns + c)];
        if (v != 0) continue;
        v = 1;
        --left;
      }
  const double least = kColumns * kRows / 64 * log2_choose(64, 4) / 8;
  EXPECT_LT(static_cast<double>(coded(Tensor::from<std::int8_t>({kRows, kColumns}, values))), 1.04 * least + 64);
}

TEST(Coding, RowsOfDifferentSizeAreToldApart) {
  Rng rng(6, kRngTest);
  constexpr std::size_t kRows = 400, kColumns = 500;
  std::vector<std::int8_t> values(kRows * kColumns);
  double entropy = 0;  // of rows uniform over 2^n values
  for (std::size_t r = 0; r < kRows; ++r) {
    const std::uint64_t range = std::uint64_t{2} << rng.below(7);
    entropy += static_cast<double>(kColumns) * std::log2(static_cast<double>(range));
    for (std::size_t c = 0; c < kColumns; ++c)
      values[r * kColumns + c] =
          static_cast<std::int8_t>(static_cast<int>(rng.below(range)) - static_cast<int>(range / 2));
  }
  EXPECT_LT(static_cast<double>(coded(Tensor::from<std::int8_t>({kRows, kColumns}, values))), 1.12 * entropy / 8);
}

TEST(Coding, ExponentsOfFloatsAreSqueezed) {
  Rng rng(8, kRngTest);
  std::vector<float> values(50000);
  for (float& v : values) v = 0.05F * static_cast<float>(rng.normal());
  EXPECT_LT(static_cast<double>(coded(Tensor::from<float>({500, 100}, values))), 0.86 * 4 * 50000);
}

TEST(Coding, RepetitionsAreLeftToZstd) {
  std::vector<std::int8_t> values(100000);
  Rng rng(9, kRngTest);
  for (std::size_t i = 0; i < 1000; ++i) values[i] = static_cast<std::int8_t>(rng.below(256));
  for (std::size_t i = 1000; i < values.size(); ++i) values[i] = values[i - 1000];
  EXPECT_LT(coded(Tensor::from<std::int8_t>({100000}, values)), 2000U);
}

}  // namespace
}  // namespace pare::test
