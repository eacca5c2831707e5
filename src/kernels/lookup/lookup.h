// Operators of one 8-bit tensor, as a table of their 256 results.
#pragma once

#include <cstdint>

namespace pare::kernels {

/// out[i] = table[in[i]], by patterns of 8 bits; in == out allowed.
void lookup(const std::uint8_t table[256], std::int64_t count, const void* in, void* out) noexcept;

}  // namespace pare::kernels
