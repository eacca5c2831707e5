// Conversions against the definitions in base.
#include "kernels/convert/convert.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

#include "base/float16.h"

namespace pare {
namespace {

/// Every float16 and bfloat16 there is.
TEST(Convert, AllShortFloatsWiden) {
  std::vector<std::uint16_t> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  std::vector<float> half(all.size()), brain(all.size());
  kernels::convert(DType::kFloat16, DType::kFloat32, 65536, all.data(), half.data());
  kernels::convert(DType::kBFloat16, DType::kFloat32, 65536, all.data(), brain.data());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const float h = half_to_float(all[i]), b = bfloat16_to_float(all[i]);
    ASSERT_EQ(std::isnan(half[i]), std::isnan(h)) << i;
    ASSERT_EQ(std::isnan(brain[i]), std::isnan(b)) << i;
    if (!std::isnan(h)) ASSERT_EQ(std::bit_cast<std::uint32_t>(half[i]), std::bit_cast<std::uint32_t>(h)) << i;
    if (!std::isnan(b)) ASSERT_EQ(std::bit_cast<std::uint32_t>(brain[i]), std::bit_cast<std::uint32_t>(b)) << i;
  }
}

/// Floats around every rounding boundary of both types: each short float, its neighbours' middle, and one float to
/// either side of these; and the extremes.
std::vector<float> hard_floats() {
  std::vector<float> floats = {0.0F,    -0.0F,    65519.99F, 65520.0F, 65536.0F, 1e38F,
                               3.4e38F, INFINITY, -INFINITY, NAN,      1e-45F};
  for (std::uint32_t bits = 0; bits < 65535; ++bits) {
    const auto here = static_cast<std::uint16_t>(bits), next = static_cast<std::uint16_t>(bits + 1);
    for (const auto& [a, b] : {std::pair(half_to_float(here), half_to_float(next)),
                               std::pair(bfloat16_to_float(here), bfloat16_to_float(next))}) {
      const auto middle = static_cast<float>((static_cast<double>(a) + b) / 2);
      if (!std::isfinite(middle)) continue;
      floats.insert(floats.end(), {middle, std::nextafterf(middle, INFINITY), std::nextafterf(middle, -INFINITY)});
    }
  }
  return floats;
}

TEST(Convert, RoundsHalfToEven) {
  const std::vector<float> floats = hard_floats();
  const auto count = static_cast<std::int64_t>(floats.size());
  std::vector<std::uint16_t> half(floats.size()), brain(floats.size());
  kernels::convert(DType::kFloat32, DType::kFloat16, count, floats.data(), half.data());
  kernels::convert(DType::kFloat32, DType::kBFloat16, count, floats.data(), brain.data());
  for (std::size_t i = 0; i < floats.size(); ++i) {
    if (std::isnan(floats[i])) {
      EXPECT_TRUE(std::isnan(half_to_float(half[i])) && std::isnan(bfloat16_to_float(brain[i])));
      continue;
    }
    ASSERT_EQ(half[i], float_to_half(floats[i])) << floats[i];
    ASSERT_EQ(brain[i], float_to_bfloat16(floats[i])) << floats[i];
  }
}

TEST(Convert, WideIntegersDoNotRoundTwice) {
  EXPECT_FALSE(kernels::can_convert(DType::kInt64, DType::kFloat16));
  EXPECT_TRUE(kernels::can_convert(DType::kFloat16, DType::kInt64));
  EXPECT_TRUE(kernels::can_convert(DType::kBFloat16, DType::kFloat16));
}

}  // namespace
}  // namespace pare
