// The floating-point formats of 4, 8 and 16 bits: IEEE binary16, bfloat16, OCP E4M3, E5M2, E2M1 and E8M0, and the FNUZ
// variants (Noune et al., 2022), each by its field widths and special codes.
#pragma once

#include <cstdint>

#include "pare/dtype.h"

namespace pare {

/// True for the types that the functions below know.
bool is_small_float(DType type) noexcept;

/// The value of a code; exact.
float small_float_value(DType type, std::uint32_t code) noexcept;

/// The code nearest to `value`, ties to even (float8e8m0: the next power of two at or above it). 16-bit types overflow
/// to infinity; 8-bit types to their largest value, or to infinity or NaN when `saturate` is false; 4-bit always
/// saturates.
std::uint32_t small_float_code(DType type, double value, bool saturate) noexcept;

}  // namespace pare
