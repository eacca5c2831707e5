// Checksums are XXH3-64 whatever computes them: files go from one machine to another.
#include "base/hash.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include "base/cpu.h"
#include "base/hash_avx2.h"
#include "base/rng.h"

namespace pare {
namespace {

TEST(Hash, EveryInstructionSetHasTheSame) {
  Rng rng(1, kRngTest);
  std::string bytes(100'003, '\0');
  for (char& byte : bytes) byte = static_cast<char>(rng.next());
  for (std::size_t size = 0; size <= bytes.size(); size = size < 300 ? size + 1 : size + size / 7) {
    for (const std::size_t from : {0, 3}) {
      const std::string_view part = std::string_view(bytes).substr(from, size);
      const std::uint64_t expected = XXH3_64bits(part.data(), part.size());
      EXPECT_EQ(hash64(part), expected) << size;
      if (isa_available(Isa::kAvx2)) {
        EXPECT_EQ(avx2::hash64(part.data(), part.size()), expected) << size;
      }
    }
  }
}

}  // namespace
}  // namespace pare
