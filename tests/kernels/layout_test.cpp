#include "kernels/layout/layout.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "random.h"

namespace pare::kernels {
namespace {

using test::Random;
using Dims8 = std::array<std::int64_t, kMaxRank>;

std::int64_t count_of(const Dims8& dims, int rank) {
  std::int64_t n = 1;
  for (int i = 0; i < rank; ++i) n *= dims[i];
  return n;
}

Dims8 coordinates(const Dims8& dims, int rank, std::int64_t at) {
  Dims8 c{};
  for (int i = rank - 1; i >= 0; --i) c[i] = at % dims[i], at /= dims[i];
  return c;
}

std::int64_t index_of(const Dims8& dims, int rank, const Dims8& c) {
  std::int64_t at = 0;
  for (int i = 0; i < rank; ++i) at = at * dims[i] + c[i];
  return at;
}

bool same(const std::vector<std::uint8_t>& a, std::int64_t i, const std::vector<std::uint8_t>& b, std::int64_t j,
          std::int64_t element) {
  return std::memcmp(a.data() + i * element, b.data() + j * element, element) == 0;
}

TEST(Transpose, RandomPermutations) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Random random(seed);
    const int rank = static_cast<int>(random.integer(0, 5));
    Dims8 in{}, out{}, perm{};
    for (int i = 0; i < rank; ++i) in[i] = random.integer(1, random.coin(0.2) ? 40 : 6), perm[i] = i;
    for (int i = rank - 1; i > 0; --i) std::swap(perm[i], perm[random.integer(0, i)]);
    for (int i = 0; i < rank; ++i) out[i] = in[perm[i]];
    if (count_of(in, rank) > 100000) continue;
    const std::int64_t element = std::int64_t{1} << random.integer(0, 3);
    const std::vector<std::uint8_t> source = random.bytes(count_of(in, rank) * element);
    std::vector<std::uint8_t> target(source.size());
    transpose(element, rank, in.data(), perm.data(), source.data(), target.data());
    for (std::int64_t at = 0; at < count_of(out, rank); ++at) {
      const Dims8 c = coordinates(out, rank, at);
      Dims8 from{};
      for (int i = 0; i < rank; ++i) from[perm[i]] = c[i];
      ASSERT_TRUE(same(target, at, source, index_of(in, rank, from), element)) << "seed " << seed;
    }
  }
}

TEST(Transpose, ChannelsLastAndBack) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const std::int64_t n = random.integer(1, 3), c = random.coin(0.3) ? 3 : random.integer(1, 70),
                       pixels = random.integer(1, random.coin(0.2) ? 1500 : 100),
                       element = std::int64_t{1} << random.integer(0, 3);
    const std::vector<std::uint8_t> in = random.bytes(n * c * pixels * element);
    std::vector<std::uint8_t> last(in.size()), back(in.size());
    transpose2d(element, n, c, pixels, in.data(), last.data());
    transpose2d(element, n, pixels, c, last.data(), back.data());
    ASSERT_EQ(back, in);
    const std::int64_t b = n - 1, ch = c / 2, p = pixels / 3;
    ASSERT_TRUE(same(last, (b * pixels + p) * c + ch, in, (b * c + ch) * pixels + p, element));
  }
}

TEST(Transpose, ThreeChannels) {
  for (const std::int64_t columns : {1, 7, 8, 31, 32, 33, 100}) {
    std::vector<std::uint32_t> in(static_cast<std::size_t>(2 * 3 * columns)), out(in.size());
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::uint32_t>(i);
    transpose2d(4, 2, 3, columns, in.data(), out.data());
    for (std::int64_t n = 0; n < 2; ++n)
      for (std::int64_t r = 0; r < 3; ++r)
        for (std::int64_t c = 0; c < columns; ++c)
          ASSERT_EQ(out[static_cast<std::size_t>((n * columns + c) * 3 + r)], (n * 3 + r) * columns + c) << columns;
  }
}

TEST(Slice, RandomStartsAndSteps) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    Random random(seed);
    const int rank = static_cast<int>(random.integer(1, 4));
    Dims8 in{}, out{}, start{}, step{};
    for (int i = 0; i < rank; ++i) {
      in[i] = random.integer(1, 12);
      step[i] = random.integer(1, 3) * (random.coin() ? 1 : -1);
      start[i] = random.integer(0, in[i] - 1);
      const std::int64_t room = step[i] > 0 ? in[i] - 1 - start[i] : start[i];
      out[i] = random.integer(1, room / std::abs(step[i]) + 1);
    }
    const std::int64_t element = std::int64_t{1} << random.integer(0, 3);
    const std::vector<std::uint8_t> source = random.bytes(count_of(in, rank) * element);
    std::vector<std::uint8_t> target(count_of(out, rank) * element);
    slice(element, rank, in.data(), start.data(), step.data(), out.data(), source.data(), target.data());
    for (std::int64_t at = 0; at < count_of(out, rank); ++at) {
      Dims8 c = coordinates(out, rank, at);
      for (int i = 0; i < rank; ++i) c[i] = start[i] + c[i] * step[i];
      ASSERT_TRUE(same(target, at, source, index_of(in, rank, c), element)) << "seed " << seed;
    }
  }
}

std::int64_t mapped(std::int64_t i, std::int64_t size, PadMode mode) {  // one step at a time, as a ball would bounce
  while (i < 0 || i >= size) {
    if (mode == PadMode::kConstant) return -1;
    if (mode == PadMode::kEdge)
      i = i < 0 ? 0 : size - 1;
    else if (mode == PadMode::kWrap)
      i += i < 0 ? size : -size;
    else
      i = size == 1 ? 0 : (i < 0 ? -i : 2 * (size - 1) - i);
  }
  return i;
}

TEST(Pad, EveryModeGrowingAndCropping) {
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    Random random(seed);
    const int rank = static_cast<int>(random.integer(1, 3));
    Dims8 in{}, out{}, before{};
    for (int i = 0; i < rank; ++i) {
      in[i] = random.integer(1, 9), before[i] = random.integer(-in[i] / 2, 12);
      out[i] = std::max<std::int64_t>(1, in[i] + before[i] + random.integer(-in[i] / 2, 12));
    }
    const auto mode = static_cast<PadMode>(random.integer(0, 3));
    const std::int64_t element = std::int64_t{1} << random.integer(0, 3);
    const std::vector<std::uint8_t> source = random.bytes(count_of(in, rank) * element), value = random.bytes(element);
    std::vector<std::uint8_t> target(count_of(out, rank) * element);
    pad(element, rank, in.data(), before.data(), out.data(), mode, value.data(), source.data(), target.data());
    for (std::int64_t at = 0; at < count_of(out, rank); ++at) {
      Dims8 c = coordinates(out, rank, at);
      bool constant = false;
      for (int i = 0; i < rank; ++i) c[i] = mapped(c[i] - before[i], in[i], mode), constant |= c[i] < 0;
      ASSERT_TRUE(constant ? same(target, at, value, 0, element)
                           : same(target, at, source, index_of(in, rank, c), element))
          << "seed " << seed;
    }
  }
}

TEST(CopyRows, ConcatenatesChannels) {
  const std::uint8_t a[] = {1, 2, 3, 4}, b[] = {5, 6};
  std::uint8_t out[6];
  copy_rows(2, 2, a, 2, out, 3);
  copy_rows(2, 1, b, 1, out + 2, 3);
  const std::uint8_t want[] = {1, 2, 5, 3, 4, 6};
  EXPECT_EQ(std::memcmp(out, want, 6), 0);
}

}  // namespace
}  // namespace pare::kernels
