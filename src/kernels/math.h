// Exponentials and the error function that the compiler can vectorize; only for files compiled for the baseline.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace pare::kernels {

inline constexpr float kLargePower = 1e30f;  // beyond it the − 1 is lost and 2^n · p may overflow before the sum does

/// e^x − 1 = (2^n − 1) + 2^n · p with x = n·ln2 + r, |r| ≤ ln2/2, p = e^r − 1 by its Taylor series to r^7 (error < 2e-8
/// of r).
struct ExpParts {
  float p;              ///< e^r − 1
  float scale, scale2;  ///< scale · scale2 = 2^n, each in range even where 2^n is not
};

/// For x in [−104, 89].
inline ExpParts exp_parts_inside(float x) noexcept {
  constexpr float kLog2e = 1.44269504088896341f, kLn2High = 0.693145751953125f, kLn2Low = 1.42860682030941723e-6f;
  const float n = __builtin_rintf(x * kLog2e);
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float q = 1.0f / 5040;
  q = q * r + 1.0f / 720;
  q = q * r + 1.0f / 120;
  q = q * r + 1.0f / 24;
  q = q * r + 1.0f / 6;
  q = q * r + 0.5f;
  const auto whole = static_cast<std::int32_t>(n), half = whole >> 1;
  return {r + r * r * q, std::bit_cast<float>((half + 127) << 23), std::bit_cast<float>((whole - half + 127) << 23)};
}

inline ExpParts exp_parts(float x) noexcept {
  x = x > -104.0f ? x : -104.0f;  // below: 0 (also where x is NaN: callers pass it through)
  x = x < 89.0f ? x : 89.0f;      // above: inf
  return exp_parts_inside(x);
}

/// e^x within 2 units in the last place; NaN stays.
inline float vector_exp(float x) noexcept {
  const ExpParts e = exp_parts(x);
  const float y = (1.0f + e.p) * e.scale * e.scale2;
  return x == x ? y : x;
}

/// e^x for x ≤ 0, and 0 below −87.3: a power that is no normal number would trap into microcode, and make a masked
/// softmax ten times slower. NaN stays.
inline float vector_exp_negative(float x) noexcept {
  constexpr float kSmallest = -87.3f;
  const ExpParts e = exp_parts_inside(x > kSmallest ? x : kSmallest);
  const float y = x == x ? (1.0f + e.p) * e.scale * e.scale2 : x;
  return x < kSmallest ? 0.0f : y;
}

/// e^x − 1, accurate near 0 too.
inline float vector_expm1(float x) noexcept {
  const ExpParts e = exp_parts(x);
  const float power = e.scale * e.scale2;
  const float y = power < kLargePower ? (power - 1.0f) + power * e.p : (1.0f + e.p) * e.scale * e.scale2;
  return x == x ? y : x;
}

inline float vector_sigmoid(float x) noexcept { return 1.0f / (1.0f + vector_exp(-x)); }

/// (e^2x − 1) / (e^2x + 1); beyond ±10 it is ±1 in f32.
inline float vector_tanh(float x) noexcept {
  const float c = x > 10.0f ? 10.0f : (x < -10.0f ? -10.0f : x);
  const float m = vector_expm1(2.0f * c);
  return m / (m + 2.0f);
}

/// erf(x) within 2e-7 relative: x · P(x²) below 1, 1 − e^−Q(x) above, both minimax-like fits at Chebyshev nodes (the
/// second weighted by erfc / erf, up to 4, where f32 is at 1). NaN stays.
inline float vector_erf(float x) noexcept {
  const float a = std::fabs(x), s = x * x, t = a < 4.0f ? a : 4.0f;
  float p = 7.88249704e-05f;
  p = p * s - 0.000801885497f;
  p = p * s + 0.00518931194f;
  p = p * s - 0.0268543288f;
  p = p * s + 0.112835975f;
  p = p * s - 0.376126269f;
  p = p * s + 1.12837917f;
  float q = -0.000187375253f;
  q = q * t + 0.00295714008f;
  q = q * t - 0.0218748826f;
  q = q * t + 0.103181455f;
  q = q * t + 0.638061247f;
  q = q * t + 1.12713814f;
  q = q * t + 0.000329790685f;
  const float far = std::copysign(1.0f - vector_exp(-q), x);
  const float y = a < 1.0f ? x * p : far;
  return x == x ? y : x;
}

}  // namespace pare::kernels
