// XXH3-64 in vectors of 32 bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pare::avx2 {

/// As hash64(), of which it is the same function.
std::uint64_t hash64(const void* data, std::size_t bytes) noexcept;

}  // namespace pare::avx2
