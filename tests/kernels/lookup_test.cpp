// Tables of 256 results: every row of the table at odd sizes, in place and not.
#include "kernels/lookup/lookup.h"

#include <gtest/gtest.h>

#include <vector>

#include "random.h"

namespace pare::kernels {
namespace {

TEST(Lookup, EveryRowReadsTheTable) {
  for (const char* isa : {"", "avx2", "scalar"}) {
    test::ScopedEnv force("PARE_FORCE_ISA", isa);
    for (std::int64_t count : {1, 63, 64, 65, 127, 4097, 300000}) {
      test::Random random(static_cast<std::uint64_t>(count));
      const std::vector<std::uint8_t> table = random.bytes(256);
      std::vector<std::uint8_t> in = random.bytes(count), out(in.size() + 1, 77);
      lookup(table.data(), count, in.data(), out.data());
      for (std::size_t i = 0; i < in.size(); ++i) ASSERT_EQ(out[i], table[in[i]]) << isa << " " << count << " " << i;
      EXPECT_EQ(out.back(), 77);
      lookup(table.data(), count, in.data(), in.data());
      in.push_back(77);
      EXPECT_EQ(in, out);
    }
  }
}

}  // namespace
}  // namespace pare::kernels
