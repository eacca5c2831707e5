// Winograd convolution: every row and size of tiles against the direct sum in f64, on odd sizes and any padding.
#include "kernels/winograd/winograd.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/threads.h"
#include "float_case.h"

namespace pare::kernels {
namespace {

using test::direct;
using test::Random;

constexpr WinogradTile kTiles[] = {WinogradTile::k4x4, WinogradTile::k2x2};
/// Rounding error in units of max |x| · max Σ|w|. The transforms' rows have sums of absolute values below 5, each value
/// passes few roundings besides those of the sum over channels, and errors have any sign: 6.4e-7 was the most seen of
/// 4x4, 1.1e-7 of 2x2.
constexpr double bound_of(WinogradTile tile) { return tile == WinogradTile::k4x4 ? 2e-6 : 5e-7; }
constexpr double kRest = 2e-7;  ///< to be added: bias and residual
constexpr std::size_t kGuard = 64;

using Case = test::FloatCase;

ConvShape random_shape(Random& random) {
  ConvShape s;
  s.kh = s.kw = 3;
  s.pad_top = random.integer(0, 2), s.pad_left = random.integer(0, 2);
  s.in_h = random.integer(std::max<std::int64_t>(1, 3 - s.pad_top), random.coin(0.1) ? 40 : 13);
  s.in_w = random.integer(std::max<std::int64_t>(1, 3 - s.pad_left), 13);
  s.out_h = s.in_h + s.pad_top + random.integer(0, 2) - 2;
  s.out_w = s.in_w + s.pad_left + random.integer(0, 2) - 2;
  s.batch = random.integer(1, 3);
  s.in_c = random.coin(0.2) ? 1 : random.integer(1, random.coin() ? 20 : 70);
  s.out_c = random.coin(0.2) ? 1 : random.integer(1, random.coin(0.2) ? 150 : 40);
  return s;
}

Case random_case(std::uint64_t seed) {
  Random random(seed);
  return test::make_float_case(random, random_shape(random));
}

WinogradWeights pack(const Case& c, WinogradTile tile, const WinogradKernel* kernel = nullptr) {
  return WinogradWeights::pack(c.shape, tile, c.filter.data(), FilterStrides::oihw(c.shape), c.bias_or_null(), kernel);
}

/// Scratch is not a number before, and what lies behind the output stays.
std::vector<float> run(const Case& c, const WinogradWeights& w, int threads) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> out(c.outputs() + kGuard, nan);
  std::fill(out.end() - kGuard, out.end(), 7.0f);
  std::vector<std::byte> scratch(winograd_scratch_bytes(w, c.shape, threads), std::byte{0xFF});
  ThreadScope scope(threads);
  winograd(w, c.shape, c.in.data(), c.epilogue, out.data(), scratch.data(), threads);
  EXPECT_TRUE(std::all_of(out.end() - kGuard, out.end(), [](float x) { return x == 7.0f; }));
  out.resize(c.outputs());
  return out;
}

TEST(Winograd, EveryRowIsWithinTheBoundOfTheDirectSum) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Case c = random_case(seed);
    ASSERT_TRUE(winograd_fits(c.shape));
    const std::vector<float> want = direct(c);
    const double size = c.size();
    for (const WinogradKernel* kernel : winograd_kernels()) {
      if (!isa_available(winograd_kernel_isa(*kernel))) continue;
      for (WinogradTile tile : kTiles) {
        const WinogradWeights w = pack(c, tile, kernel);
        const std::vector<float> got = run(c, w, 1);
        for (std::size_t i = 0; i < want.size(); ++i)
          ASSERT_NEAR(got[i], want[i], bound_of(tile) * size + kRest)
              << w.kernel_name() << " seed " << seed << " output " << i;
        ASSERT_EQ(run(c, w, 3), got) << w.kernel_name() << " seed " << seed << ": threads differ";
      }
    }
  }
}

TEST(Winograd, ErrorIsSmallBesideTheRangeOfTheOutputs) {
  Random random(5);
  for (const auto& [channels, size] : {std::pair(64, 23), std::pair(128, 14), std::pair(512, 7)}) {
    ConvShape s;
    s.kh = s.kw = 3, s.pad_top = s.pad_left = 1;
    s.in_c = s.out_c = channels, s.in_h = s.in_w = s.out_h = s.out_w = size;
    Case c = test::make_float_case(random, s);
    c.epilogue = {};
    for (float& x : c.in) x = std::max(x, 0.0f);  // as behind a Relu
    const std::vector<float> want = direct(c);
    const auto [low, high] = std::minmax_element(want.begin(), want.end());
    for (WinogradTile tile : kTiles) {
      const std::vector<float> got = run(c, pack(c, tile), 2);
      double worst = 0;
      for (std::size_t i = 0; i < want.size(); ++i)
        worst = std::max(worst, std::abs(static_cast<double>(got[i]) - want[i]));
      EXPECT_LE(worst, 5e-6 * (*high - *low)) << channels << " channels, " << static_cast<int>(tile);
    }
  }
}

TEST(Winograd, ManyTilesGoInBlocksAndMayAddInPlace) {
  Random random(9);
  ConvShape s;
  s.kh = s.kw = 3, s.pad_top = s.pad_left = 1, s.batch = 2;
  s.in_c = 130, s.out_c = 40, s.in_h = s.out_h = 57, s.in_w = s.out_w = 41;
  Case c = test::make_float_case(random, s);
  c.residual = random.reals(s.pixels() * s.out_c);
  c.epilogue = {c.residual.data(), -1, kInfinity};
  const std::vector<float> want = direct(c);
  const double size = c.size();
  for (WinogradTile tile : kTiles)
    for (int threads : {1, 2, 5}) {
      const WinogradWeights w = pack(c, tile);
      std::vector<float> got = c.residual;
      std::vector<std::byte> scratch(winograd_scratch_bytes(w, s, threads));
      ThreadScope scope(threads);
      winograd(w, s, c.in.data(), {got.data(), -1, kInfinity}, got.data(), scratch.data(), threads);
      for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], bound_of(tile) * size + kRest) << i;
    }
}

TEST(Winograd, RowsFollowTheInstructionSet) {
  const Case c = random_case(1);
  EXPECT_EQ(winograd_kernels().back(), winograd_kernels()[2]);
  {
    const test::ScopedEnv force("PARE_FORCE_ISA", "scalar");
    EXPECT_STREQ(pack(c, WinogradTile::k4x4).kernel_name(), "winograd4x4_f32__reference");
    EXPECT_STREQ(pack(c, WinogradTile::k2x2).kernel_name(), "winograd2x2_f32__reference");
  }
  for (const char* isa : {"avx2", "avx512"}) {
    if (!isa_available(*isa_from_name(isa))) continue;
    const test::ScopedEnv force("PARE_FORCE_ISA", isa);
    EXPECT_EQ(pack(c, WinogradTile::k4x4).kernel_name(), std::string("winograd4x4_f32__") + isa);
  }
}

TEST(Winograd, OtherShapesDoNotFit) {
  ConvShape s;
  s.kh = s.kw = 3;
  EXPECT_TRUE(winograd_fits(s));
  for (std::int64_t ConvShape::*field : {&ConvShape::kh, &ConvShape::kw, &ConvShape::stride_h, &ConvShape::stride_w,
                                         &ConvShape::dilation_h, &ConvShape::dilation_w, &ConvShape::groups}) {
    ConvShape other = s;
    ++(other.*field);
    EXPECT_FALSE(winograd_fits(other));
  }
}

TEST(Winograd, NaNSpreadsNoFurtherThanItsTiles) {
  ConvShape s;
  s.kh = s.kw = 3, s.pad_top = s.pad_left = 1;
  s.in_c = 3, s.out_c = 5, s.in_h = s.out_h = 8, s.in_w = s.out_w = 16;
  Random random(2);
  Case c = test::make_float_case(random, s);
  c.epilogue = {nullptr, 0, 6};
  const std::vector<float> want = direct(c);
  const double size = c.size();
  c.in[1] = std::numeric_limits<float>::quiet_NaN();  // of pixel (0, 0), read by the first tile alone
  for (const WinogradKernel* kernel : winograd_kernels()) {
    if (!isa_available(winograd_kernel_isa(*kernel))) continue;
    const std::vector<float> got = run(c, pack(c, WinogradTile::k4x4, kernel), 1);
    EXPECT_TRUE(std::isnan(got[0])) << winograd_kernel_name(*kernel, WinogradTile::k4x4);
    for (std::int64_t y = 0; y < s.out_h; ++y)
      for (std::int64_t x = 0; x < s.out_w; ++x)
        if (y >= 4 || x >= 4)
          for (std::int64_t k = 0; k < s.out_c; ++k) {
            const auto i = static_cast<std::size_t>((y * s.out_w + x) * s.out_c + k);
            EXPECT_NEAR(got[i], want[i], bound_of(WinogradTile::k4x4) * size + kRest);
          }
  }
}

}  // namespace
}  // namespace pare::kernels
