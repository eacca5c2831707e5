#include "base/threads.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <mutex>
#include <set>
#include <vector>

#include "pare/error.h"

namespace pare {
namespace {

TEST(Threads, Resolve) {
  EXPECT_GE(hardware_threads(), 1);
  EXPECT_EQ(resolve_threads(0), hardware_threads());
  EXPECT_EQ(resolve_threads(3), 3);
  try {
    resolve_threads(-1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
  }
}

TEST(Threads, ScopeRestores) {
  const int before = omp_get_max_threads();
  {
    const ThreadScope scope(before + 2);
    EXPECT_EQ(omp_get_max_threads(), before + 2);
  }
  EXPECT_EQ(omp_get_max_threads(), before);
}

TEST(ParallelFor, CoversEachIndexOnceInFixedRanges) {
  for (const int threads : {1, 2, 3, 5}) {
    const ThreadScope scope(threads);
    for (const std::int64_t count : {0, 1, 2, 7, 100}) {
      for (const std::int64_t grain : {0, 1, 4, 1000}) {
        std::mutex mutex;
        std::set<std::pair<std::int64_t, std::int64_t>> ranges;
        parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
          const std::lock_guard lock(mutex);
          ranges.emplace(begin, end);
        });
        std::int64_t next = 0;
        for (const auto& [begin, end] : ranges) {
          ASSERT_EQ(begin, next);
          ASSERT_LT(begin, end);
          if (end != count) {
            ASSERT_GE(end - begin, grain);
          }
          next = end;
        }
        ASSERT_EQ(next, count);
        ASSERT_LE(ranges.size(), static_cast<std::size_t>(threads));
      }
    }
  }
}

TEST(ParallelFor, CarriesExceptionsOut) {
  const ThreadScope scope(2);
  EXPECT_THROW(parallel_for(10, 1, [](std::int64_t, std::int64_t) { throw Error(ErrorCode::kBadInput, "x", "y"); }),
               Error);
}

TEST(ParallelFor, NestsSerially) {
  const ThreadScope scope(2);
  std::atomic<int> calls = 0;
  parallel_for(2, 1, [&](std::int64_t, std::int64_t) {
    parallel_for(8, 1, [&](std::int64_t begin, std::int64_t end) {
      EXPECT_EQ(begin, 0);
      EXPECT_EQ(end, 8);
      ++calls;
    });
  });
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace pare
