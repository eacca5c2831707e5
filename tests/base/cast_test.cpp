#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "base/float16.h"
#include "base/small_float.h"
#include "pare/error.h"

namespace pare {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr DType kSmall[] = {DType::kFloat16,    DType::kBFloat16,       DType::kFloat8E4M3FN, DType::kFloat8E4M3FNUZ,
                            DType::kFloat8E5M2, DType::kFloat8E5M2FNUZ, DType::kFloat4E2M1,   DType::kFloat8E8M0};

std::uint32_t code(DType type, double value, bool saturate = true) { return small_float_code(type, value, saturate); }

TEST(Half, SpecialValues) {
  EXPECT_EQ(float_to_half(1.0f), 0x3C00);
  EXPECT_EQ(float_to_half(-2.0f), 0xC000);
  EXPECT_EQ(float_to_half(65504.0f), 0x7BFF);
  EXPECT_EQ(float_to_half(65519.99f), 0x7BFF);
  EXPECT_EQ(float_to_half(65520.0f), 0x7C00);
  EXPECT_EQ(float_to_half(0x1p-24f), 1);
  EXPECT_EQ(float_to_half(0x1p-25f), 0);  // tie to even
  EXPECT_EQ(float_to_half(0x1.8p-24f), 2);
  EXPECT_EQ(float_to_half(-0.0f), 0x8000);
  EXPECT_EQ(float_to_half(-kInf), 0xFC00);
  EXPECT_TRUE(std::isnan(half_to_float(float_to_half(kNan))));
}

TEST(Half, EveryCodeRoundTrips) {
  for (std::uint32_t c = 0; c < 65536; ++c) {
    const auto bits16 = static_cast<std::uint16_t>(c);
    const float half = half_to_float(bits16), brain = bfloat16_to_float(bits16);
    if (!std::isnan(half)) {
      ASSERT_EQ(float_to_half(half), bits16);
    }
    if (!std::isnan(brain)) {
      ASSERT_EQ(float_to_bfloat16(brain), bits16);
    }
    if (!std::isnan(half)) {
      ASSERT_EQ(half, small_float_value(DType::kFloat16, c));
    }
  }
}

RC_GTEST_PROP(Half, FastConversionsAgreeWithTheGenericOnes, (std::uint32_t word)) {
  const auto value = std::bit_cast<float>(word);
  RC_PRE(!std::isnan(value));
  RC_ASSERT(float_to_half(value) == code(DType::kFloat16, value));
  RC_ASSERT(float_to_bfloat16(value) == code(DType::kBFloat16, value));
}

TEST(SmallFloat, EveryCodeRoundTrips) {
  for (const DType type : kSmall) {
    for (std::uint32_t c = 0; c < 1u << bits(type); ++c) {
      const float value = small_float_value(type, c);
      if (std::isnan(value) || std::isinf(value)) continue;
      if (type == DType::kFloat4E2M1 && c == 8) continue;  // −0, which also stands for NaN
      ASSERT_EQ(code(type, value), c) << name(type);
    }
  }
}

TEST(SmallFloat, TableOfTheOnnxCast) {
  const DType fn = DType::kFloat8E4M3FN, fnuz = DType::kFloat8E4M3FNUZ, e5 = DType::kFloat8E5M2,
              e5z = DType::kFloat8E5M2FNUZ;
  EXPECT_EQ(code(fn, 448), 0x7Eu);
  EXPECT_EQ(code(fn, kInf), 0x7Eu);
  EXPECT_EQ(code(fn, -1e9), 0xFEu);
  EXPECT_EQ(code(fn, 464.01, false), 0x7Fu);
  EXPECT_EQ(code(fn, 464, false), 0x7Eu);  // tie to the even 448
  EXPECT_EQ(code(fn, -0.0), 0x80u);
  EXPECT_EQ(code(fnuz, -0.0), 0u);
  EXPECT_EQ(code(fnuz, 240), 0x7Fu);
  EXPECT_EQ(code(fnuz, kNan), 0x80u);
  EXPECT_EQ(code(fnuz, kInf, false), 0x80u);
  EXPECT_EQ(code(e5, 57344), 0x7Bu);
  EXPECT_EQ(code(e5, kInf), 0x7Bu);
  EXPECT_EQ(code(e5, -kInf, false), 0xFCu);
  EXPECT_EQ(code(e5z, 57344), 0x7Fu);
  EXPECT_EQ(code(e5z, 1e9, false), 0x80u);
  EXPECT_TRUE(std::isnan(small_float_value(fn, 0xFF)));
  EXPECT_TRUE(std::isinf(small_float_value(e5, 0x7C)));
  EXPECT_EQ(small_float_value(fn, 0x01), 0x1p-9f);
  EXPECT_EQ(small_float_value(e5z, 0x01), 0x1p-17f);
}

TEST(SmallFloat, FourBitsAndScales) {
  const double values[] = {0, 0.25, 0.26, 0.75, 1.25, 1.75, 2.5, 3.5, 5, 5.01, 100, -kInf};
  const std::uint32_t codes[] = {0, 0, 1, 2, 2, 4, 4, 6, 6, 7, 7, 15};
  for (std::size_t i = 0; i < std::size(values); ++i)
    EXPECT_EQ(code(DType::kFloat4E2M1, values[i]), codes[i]) << values[i];
  const DType scale = DType::kFloat8E8M0;
  EXPECT_EQ(code(scale, 1), 127u);
  EXPECT_EQ(code(scale, 1.01), 128u);
  EXPECT_EQ(code(scale, 0), 0u);
  EXPECT_EQ(code(scale, kInf), 254u);
  EXPECT_EQ(code(scale, kNan), 255u);
  EXPECT_EQ(small_float_value(scale, 0), 0x1p-127f);
}

// No code lies nearer to the value than the one chosen.
RC_GTEST_PROP(SmallFloat, RoundsToNearest, (std::uint32_t word)) {
  const auto value = std::bit_cast<float>(word);
  RC_PRE(!std::isnan(value));
  for (const DType type : kSmall) {
    if (bits(type) > 8 || type == DType::kFloat8E8M0) continue;
    const double chosen = small_float_value(type, code(type, value));
    for (std::uint32_t c = 0; c < 1u << bits(type); ++c) {
      const double other = small_float_value(type, c);
      if (!std::isfinite(other) || std::isinf(value)) continue;
      RC_ASSERT(std::abs(chosen - value) <= std::abs(other - value));
    }
  }
}

TEST(Cast, EveryNumericPairKeepsSmallIntegers) {
  const std::vector<float> values{0, 1, 1, 0, 1};
  const Tensor start = Tensor::from<float>({5}, values);
  int pairs = 0;
  for (int from = 1; from <= 26; ++from) {
    for (int to = 1; to <= 26; ++to) {
      const auto a = static_cast<DType>(from), b = static_cast<DType>(to);
      const auto numeric = [](DType t) { return is_float(t) || is_integer(t) || t == DType::kBool; };
      if (!numeric(a) || !numeric(b) || a == DType::kFloat8E8M0 || b == DType::kFloat8E8M0) continue;
      const Tensor result = cast(cast(start, a), b);
      ASSERT_EQ(result.dtype(), b);
      for (std::size_t i = 0; i < values.size(); ++i) {
        // One bit of sign leaves int2 −2 … 1: 1 survives, and so do all the others' 0 and 1.
        ASSERT_EQ(element_as_double(result, static_cast<std::int64_t>(i)), values[i]) << name(a) << " to " << name(b);
      }
      ++pairs;
    }
  }
  EXPECT_EQ(pairs, 22 * 22);
}

TEST(Cast, IntegersWrapAndFloatsTruncate) {
  EXPECT_EQ(cast(Tensor::scalar<std::int16_t>(200), DType::kInt8).data<std::int8_t>()[0], -56);
  EXPECT_EQ(cast(Tensor::scalar<std::int64_t>(-1), DType::kUint16).data<std::uint16_t>()[0], 65535);
  EXPECT_EQ(cast(Tensor::scalar(-2.9f), DType::kInt32).data<std::int32_t>()[0], -2);
  EXPECT_EQ(cast(Tensor::scalar(kNan), DType::kInt64).data<std::int64_t>()[0], 0);
  EXPECT_EQ(cast(Tensor::scalar(1e30), DType::kUint64).data<std::uint64_t>()[0],
            std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(cast(Tensor::scalar(1.2e19), DType::kUint64).data<std::uint64_t>()[0], 12000000000000000000ull);
  EXPECT_EQ(cast(Tensor::scalar(1e300), DType::kFloat32).data<float>()[0], kInf);
  EXPECT_TRUE(cast(Tensor::scalar(0.1f), DType::kBool).data<bool>()[0]);
  EXPECT_TRUE(cast(Tensor::scalar(kNan), DType::kBool).data<bool>()[0]);
}

TEST(Cast, PacksNibblesLowFirst) {
  const Tensor packed = cast(Tensor::from<std::int8_t>({3}, {-8, 7, -1}), DType::kInt4);
  EXPECT_EQ(packed.bytes(), 2u);
  EXPECT_EQ(packed.raw()[0], std::byte{0x78});
  EXPECT_EQ(packed.raw()[1], std::byte{0x0F});
  EXPECT_EQ(element_as_double(packed, 0), -8);
  EXPECT_EQ(element_as_double(cast(packed, DType::kUint4), 0), 8);
  const Tensor two = cast(Tensor::from<std::int8_t>({5}, {-2, -1, 0, 1, 1}), DType::kInt2);
  EXPECT_EQ(two.bytes(), 2u);
  EXPECT_EQ(two.raw()[0], std::byte{0b01'00'11'10});
}

TEST(Cast, DoubleRoundsOnce) {
  // Just above the midpoint of 1 and the next half: by way of float it would fall on the midpoint and round to even.
  EXPECT_EQ(element_as_double(cast(Tensor::scalar(1 + 0x1p-11 + 0x1p-40), DType::kFloat16), 0), 1 + 0x1p-10);
}

TEST(Cast, RefusesStringsAndComplexNumbers) {
  for (const DType type : {DType::kString, DType::kComplex64}) {
    try {
      cast(Tensor::scalar(1.0f), type);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    }
  }
}

}  // namespace
}  // namespace pare
