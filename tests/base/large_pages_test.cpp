#include "base/large_pages.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>

#include "base/cpu.h"

namespace pare {
namespace {

TEST(LargePages, PiecesDoNotOverlapAndHolesAreUsedAgain) {
  struct Piece {
    unsigned char* memory;
    std::size_t bytes;
    unsigned char mark;
  };
  std::mt19937 random(1);
  std::vector<Piece> pieces;
  for (int step = 0; step < 2000; ++step) {
    if (pieces.size() > 20 || (!pieces.empty() && random() % 3 == 0)) {
      const std::size_t i = random() % pieces.size();
      const Piece p = pieces[i];
      EXPECT_EQ(p.memory[0], p.mark);
      EXPECT_EQ(p.memory[p.bytes / 2], p.mark);
      EXPECT_EQ(p.memory[p.bytes - 1], p.mark);
      free_in_large_pages(p.memory, p.bytes);
      pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(i));
      continue;
    }
    const std::size_t bytes = 1 + random() % (step % 5 == 0 ? 3'000'000 : 100'000);
    auto* memory = static_cast<unsigned char*>(allocate_in_large_pages(bytes));
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % 64, 0u);
    const auto mark = static_cast<unsigned char>(random());
    std::memset(memory, mark, bytes);
    pieces.push_back({memory, bytes, mark});
  }
  for (const Piece& p : pieces) free_in_large_pages(p.memory, p.bytes);
}

TEST(LargePages, WhatIsFreedGoesBackToTheSystem) {
  constexpr std::size_t kBytes = 200u << 20;
  const std::int64_t before = resident_bytes();
  auto* memory = static_cast<unsigned char*>(allocate_in_large_pages(kBytes));
  ASSERT_NE(memory, nullptr);
  std::memset(memory, 1, kBytes);
  EXPECT_GT(resident_bytes(), before + (150 << 20));
  free_in_large_pages(memory, kBytes);
  EXPECT_LT(resident_bytes(), before + (50 << 20));
}

TEST(LargePages, HoldVectors) {
  LargePageVector<int> values(100'000, 7);
  values.resize(200'000, 8);
  EXPECT_EQ(values.front(), 7);
  EXPECT_EQ(values.back(), 8);
}

}  // namespace
}  // namespace pare
