#include "base/small_float.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pare {

namespace {

constexpr std::uint32_t kNone = ~0u;

struct Format {
  int bits, mantissa, bias;
  std::uint32_t largest;   ///< code of the largest finite magnitude
  std::uint32_t infinity;  ///< its code, kNone when the format has none
  std::uint32_t nan;
  bool negative_zero;            ///< FNUZ formats use that code for NaN
  bool saturates, may_overflow;  ///< at overflow: always saturates; may be told not to
};

constexpr Format kHalf{16, 10, 15, 0x7BFF, 0x7C00, 0x7E00, true, false, true};
constexpr Format kBrain{16, 7, 127, 0x7F7F, 0x7F80, 0x7FC0, true, false, true};
constexpr Format kE4M3FN{8, 3, 7, 0x7E, kNone, 0x7F, true, true, true};
constexpr Format kE4M3FNUZ{8, 3, 8, 0x7F, kNone, 0x80, false, true, true};
constexpr Format kE5M2{8, 2, 15, 0x7B, 0x7C, 0x7E, true, true, true};
constexpr Format kE5M2FNUZ{8, 2, 16, 0x7F, kNone, 0x80, false, true, true};
constexpr Format kE2M1{4, 1, 1, 0x7, kNone, 0x8, true, true, false};  // has no NaN: −0 stands for it

const Format* format_of(DType type) noexcept {
  switch (type) {
    case DType::kFloat16:
      return &kHalf;
    case DType::kBFloat16:
      return &kBrain;
    case DType::kFloat8E4M3FN:
      return &kE4M3FN;
    case DType::kFloat8E4M3FNUZ:
      return &kE4M3FNUZ;
    case DType::kFloat8E5M2:
      return &kE5M2;
    case DType::kFloat8E5M2FNUZ:
      return &kE5M2FNUZ;
    case DType::kFloat4E2M1:
      return &kE2M1;
    default:
      return nullptr;
  }
}

// The magnitude of a finite code without its sign.
double magnitude_of(const Format& format, std::uint32_t code) noexcept {
  const auto mantissa = static_cast<double>(code & ((1u << format.mantissa) - 1));
  const int exponent = static_cast<int>(code >> format.mantissa);
  if (exponent == 0) return std::ldexp(mantissa, 1 - format.bias - format.mantissa);
  return std::ldexp(mantissa + (1 << format.mantissa), exponent - format.bias - format.mantissa);
}

std::uint32_t scale_code(double value, bool saturate) noexcept {
  constexpr std::uint32_t kNan = 255, kLargest = 254;
  if (std::isnan(value) || value < 0) return kNan;
  if (value == 0) return saturate ? 0 : kNan;
  if (value > 0x1p127) return saturate ? kLargest : kNan;
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);  // value = fraction · 2^exponent, fraction in [0.5, 1)
  if (fraction == 0.5) --exponent;
  if (exponent < -127) return saturate ? 0 : kNan;
  return static_cast<std::uint32_t>(exponent + 127);
}

}  // namespace

bool is_small_float(DType type) noexcept { return type == DType::kFloat8E8M0 || format_of(type) != nullptr; }

float small_float_value(DType type, std::uint32_t code) noexcept {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
  if (type == DType::kFloat8E8M0)
    return code == 255 ? kNan : static_cast<float>(std::ldexp(1.0, static_cast<int>(code) - 127));
  const Format& format = *format_of(type);
  const std::uint32_t sign_bit = 1u << (format.bits - 1);
  if (!format.negative_zero && code == format.nan) return kNan;
  const std::uint32_t unsigned_code = code & (sign_bit - 1);
  float magnitude = 0;
  if (unsigned_code <= format.largest) {
    magnitude = static_cast<float>(magnitude_of(format, unsigned_code));
  } else {
    magnitude = unsigned_code == format.infinity ? kInfinity : kNan;
  }
  return code & sign_bit ? -magnitude : magnitude;
}

std::uint32_t small_float_code(DType type, double value, bool saturate) noexcept {
  if (type == DType::kFloat8E8M0) return scale_code(value, saturate);
  const Format& format = *format_of(type);
  const std::uint32_t sign = std::signbit(value) ? 1u << (format.bits - 1) : 0;
  if (std::isnan(value)) return format.negative_zero && format.bits > 4 ? format.nan | sign : format.nan;
  const double magnitude = std::abs(value);
  std::uint32_t code = 0;
  if (magnitude <= 2 * magnitude_of(format, format.largest)) {
    // Round on the grid of the value's binade (of the subnormals below the smallest one); a carry moves to the next
    // binade by itself because codes are ordered like magnitudes.
    const int exponent = magnitude == 0 ? 1 - format.bias : std::max(std::ilogb(magnitude), 1 - format.bias);
    const double steps = std::nearbyint(std::ldexp(magnitude, format.mantissa - exponent));
    const int skipped = (exponent + format.bias - 1) << format.mantissa;
    code = static_cast<std::uint32_t>(steps) + static_cast<std::uint32_t>(skipped);
  } else {
    code = format.largest + 1;
  }
  if (code > format.largest) {
    const bool clamp = format.saturates && (saturate || !format.may_overflow);
    if (clamp) return sign | format.largest;
    if (format.infinity != kNone) return sign | format.infinity;
    return format.negative_zero ? sign | format.nan : format.nan;
  }
  return code == 0 && !format.negative_zero ? 0 : sign | code;
}

}  // namespace pare
