// Elements of several bytes, byte plane by byte plane under zstd. A float is turned left by one bit first: its exponent
// then fills the highest plane, the one that is worth coding; sign and fraction are close to noise.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pare::pack {

/// `width`: bytes of an element, 2, 4 or 8; `turned`: they are floats.
std::string code_planes(std::string_view elements, std::size_t width, bool turned);
/// Throws Damaged when `coded` does not hold `size` bytes of elements.
void decode_planes(std::string_view coded, std::size_t width, bool turned, char* out, std::size_t size);

}  // namespace pare::pack
