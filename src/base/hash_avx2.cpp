#include "base/hash_avx2.h"

#define XXH_INLINE_ALL  // compiled here, and static: the library's own is for the baseline
#include <xxhash.h>

namespace pare::avx2 {

std::uint64_t hash64(const void* data, std::size_t bytes) noexcept { return XXH3_64bits(data, bytes); }

}  // namespace pare::avx2
