// Blocks of huge pages: aligned, apart from each other, and used again.
#include "base/huge_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <thread>

#include "base/rng.h"

namespace pare {
namespace {

struct Block {
  unsigned char* data;
  std::size_t bytes;
  unsigned char mark;
};

void check(const Block& block) {
  for (const std::size_t at : {std::size_t{0}, block.bytes / 2, block.bytes - 1})
    ASSERT_EQ(block.data[at], block.mark) << "of a block of " << block.bytes;
}

/// Takes, fills and gives back blocks of all sizes.
void churn(std::uint64_t seed) {
  Rng rng(seed, kRngTest);
  std::vector<Block> blocks;
  for (int step = 0; step < 400; ++step) {
    if (blocks.size() > 20 || (!blocks.empty() && rng.next() % 3 == 0)) {
      std::swap(blocks[rng.next() % blocks.size()], blocks.back());
      check(blocks.back());
      give_back_huge(blocks.back().data, blocks.back().bytes);
      blocks.pop_back();
      continue;
    }
    const std::size_t bytes = 1 + rng.next() % (std::size_t{1} << (1 + rng.next() % 23));
    auto* const data = static_cast<unsigned char*>(take_huge(bytes));
    ASSERT_NE(data, nullptr);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(data) % 64, 0U);
    const auto mark = static_cast<unsigned char>(step);
    std::memset(data, mark, bytes);
    blocks.push_back({data, bytes, mark});
  }
  for (const Block& block : blocks) {
    check(block);
    give_back_huge(block.data, block.bytes);
  }
}

TEST(HugeMemory, BlocksAreApart) { churn(1); }

TEST(HugeMemory, ManyThreadsMayTake) {
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 2; seed < 6; ++seed) threads.emplace_back([seed] { churn(seed); });
  for (std::thread& thread : threads) thread.join();
}

TEST(HugeMemory, WhatCannotBeIsNull) {
  EXPECT_EQ(take_huge(static_cast<std::size_t>(-1)), nullptr);
  EXPECT_THROW(HugeVector<double>().reserve(static_cast<std::size_t>(-1) / 64), std::bad_alloc);
}

TEST(HugeMemory, VectorsInitializeWhatTheyAreTold) {
  const HugeVector<float> ones(100'000, 1.0F);
  EXPECT_EQ(ones[0], 1.0F);
  EXPECT_EQ(ones[99'999], 1.0F);
}

}  // namespace
}  // namespace pare
