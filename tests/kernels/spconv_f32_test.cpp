// Sparse f32 convolution: every row against the plain loops, on odd shapes, empty and full rows.
#include "kernels/spconv_f32/spconv_f32.h"

#include <gtest/gtest.h>

#include "base/threads.h"
#include "float_case.h"
#include "kernels/sppanel/sppanel.h"

namespace pare::kernels {
namespace {

using test::Random;

using Case = test::FloatCase;

Case random_case(std::uint64_t seed) {
  Random random(seed);
  ConvShape shape = random.coin(0.3) ? ConvShape::matmul(random.integer(1, 150), 1, 1) : test::random_geometry(random);
  shape.in_c = random.integer(1, random.coin() ? 20 : 150);
  shape.out_c = random.integer(1, random.coin(0.1) ? 300 : 40);
  const double keep = random.coin(0.1) ? 1.0 : random.coin(0.1) ? 0.0 : random.real(0.02f, 0.5f);
  return test::make_float_case(random, shape, keep);
}

std::vector<float> run(const Case& c, const SpConvF32Weights& w, int threads) {
  std::vector<float> out(c.outputs(), std::numeric_limits<float>::quiet_NaN());
  std::vector<std::byte> scratch(spconv_f32_scratch_bytes(w, threads), std::byte{0xFF});
  ThreadScope scope(threads);
  spconv_f32(w, c.shape, c.in.data(), c.epilogue, out.data(), scratch.data(), threads);
  return out;
}

TEST(SpConvF32, EveryRowEqualsThePlainLoops) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const Case c = random_case(seed);
    const std::vector<float> want = test::direct(c);
    const double size = 1 + static_cast<double>(c.shape.taps() * c.shape.in_c);  // bounds Σ|x·w|
    for (const SpConvF32Kernel* kernel : spconv_f32_kernels()) {
      if (!isa_available(spconv_f32_kernel_isa(*kernel))) continue;
      const auto w =
          SpConvF32Weights::pack(c.shape, c.filter.data(), FilterStrides::oihw(c.shape), c.bias_or_null(), kernel);
      const std::vector<float> got = run(c, w, 1);
      for (std::size_t i = 0; i < want.size(); ++i)
        ASSERT_NEAR(got[i], want[i], 2e-7 * size + 1e-6)
            << spconv_f32_kernel_name(*kernel) << " seed " << seed << " output " << i;
      ASSERT_EQ(run(c, w, 3), got) << spconv_f32_kernel_name(*kernel) << " seed " << seed << ": threads differ";
    }
  }
}

/// [pixels][channels] in panels; what fills up the last vector must not matter.
std::vector<float> to_panels(const std::vector<float>& values, std::int64_t channels) {
  const std::int64_t pixels = static_cast<std::int64_t>(values.size()) / channels;
  std::vector<float> panels(static_cast<std::size_t>(panel_elements(pixels, channels)),
                            std::numeric_limits<float>::quiet_NaN());
  for (std::int64_t p = 0; p < pixels; ++p)
    for (std::int64_t c = 0; c < channels; ++c)
      panels[static_cast<std::size_t>((p / 16 * channels + c) * 16 + p % 16)] =
          values[static_cast<std::size_t>(p * channels + c)];
  return panels;
}

std::vector<float> from_panels(const std::vector<float>& panels, std::int64_t pixels, std::int64_t channels) {
  std::vector<float> values(static_cast<std::size_t>(pixels * channels));
  for (std::int64_t p = 0; p < pixels; ++p)
    for (std::int64_t c = 0; c < channels; ++c)
      values[static_cast<std::size_t>(p * channels + c)] =
          panels[static_cast<std::size_t>((p / 16 * channels + c) * 16 + p % 16)];
  return values;
}

/// As run(), with values in panels; what is added lies in the output's memory where `in_place`.
std::vector<float> run_in_panels(const Case& c, const SpConvF32Weights& w, const PanelValues& values, bool in_place,
                                 int threads) {
  const std::int64_t pixels = c.shape.pixels(), channels = c.shape.out_c;
  const std::vector<float> in = values.in ? to_panels(c.in, c.shape.in_c) : c.in,
                           added = values.added ? to_panels(c.residual, channels) : c.residual;
  std::vector<float> out(static_cast<std::size_t>(values.out ? panel_elements(pixels, channels) : pixels * channels),
                         std::numeric_limits<float>::quiet_NaN());
  if (in_place) out = added;
  ConvEpilogue epilogue = c.epilogue;
  if (epilogue.residual) epilogue.residual = in_place ? out.data() : added.data();
  std::vector<std::byte> scratch(spconv_f32_scratch_bytes(w, threads), std::byte{0xFF});
  ThreadScope scope(threads);
  spconv_f32(w, c.shape, in.data(), epilogue, out.data(), scratch.data(), threads, values);
  return values.out ? from_panels(out, pixels, channels) : out;
}

TEST(SpConvF32, ValuesMayLieInPanels) {
  int taken = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const Case c = random_case(7000 + seed);
    const std::vector<float> want = test::direct(c);
    const double size = 1 + static_cast<double>(c.shape.taps() * c.shape.in_c);
    for (const SpConvF32Kernel* kernel : spconv_f32_kernels()) {
      if (!isa_available(spconv_f32_kernel_isa(*kernel))) continue;
      const auto w =
          SpConvF32Weights::pack(c.shape, c.filter.data(), FilterStrides::oihw(c.shape), c.bias_or_null(), kernel);
      for (int which = 1; which < 8; ++which) {
        const PanelValues values{(which & 1) != 0, (which & 2) != 0, (which & 4) != 0};
        if (!spconv_f32_takes(c.shape, values)) continue;
        ++taken;
        SCOPED_TRACE(std::string(spconv_f32_kernel_name(*kernel)) + " seed " + std::to_string(seed) + " values " +
                     std::to_string(which));
        const std::vector<float> got = run_in_panels(c, w, values, false, 1);
        for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], 2e-7 * size + 1e-6) << i;
        ASSERT_EQ(run_in_panels(c, w, values, false, 3), got) << "threads differ";
        if (c.epilogue.residual && values.out) ASSERT_EQ(run_in_panels(c, w, values, true, 1), got) << "in place";
      }
    }
  }
  EXPECT_GT(taken, 5000);
}

TEST(SpConvF32, ReadsAnyFilterLayoutAndMayAddInPlace) {
  Random random(3);
  const ConvShape s = ConvShape::matmul(70, 100, 33);
  const std::vector<float> in = random.reals(70 * 100), bias = random.reals(33), start = random.reals(70 * 33);
  std::vector<float> filter = random.reals(100 * 33), want(70 * 33), got = start;
  for (std::size_t i = 0; i < filter.size(); ++i)
    if (i % 7) filter[i] = 0;
  const FilterStrides kn{1, 33, 0, 0};  // MatMul's B [K, N]
  const ConvEpilogue epilogue{start.data(), -1, kInfinity};
  conv(s, filter.data(), kn, bias.data(), epilogue, in.data(), want.data());
  const auto w = SpConvF32Weights::pack(s, filter.data(), kn, bias.data());
  std::vector<std::byte> scratch(spconv_f32_scratch_bytes(w, 1));
  spconv_f32(w, s, in.data(), {got.data(), -1, kInfinity}, got.data(), scratch.data(), 1);
  for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], 2e-5) << i;
  EXPECT_NEAR(w.density(), 1.0 / 7, 0.03);
}

TEST(SpConvF32, NaNStaysAndTheRestIsUntouched) {
  const ConvShape s = ConvShape::matmul(3, 8, 2);
  std::vector<float> in(24, 1.0f), filter(16, 0.0f), out(6);
  in[8] = std::numeric_limits<float>::quiet_NaN();
  filter[0] = filter[9] = 1;  // output 0 reads input 0, output 1 reads input 1
  for (const SpConvF32Kernel* kernel : spconv_f32_kernels()) {
    if (!isa_available(spconv_f32_kernel_isa(*kernel))) continue;
    const auto w = SpConvF32Weights::pack(s, filter.data(), FilterStrides::oihw(s), nullptr, kernel);
    std::vector<std::byte> scratch(spconv_f32_scratch_bytes(w, 1));
    spconv_f32(w, s, in.data(), {nullptr, 0, 6}, out.data(), scratch.data(), 1);
    EXPECT_TRUE(std::isnan(out[2])) << spconv_f32_kernel_name(*kernel);
    for (int i : {0, 1, 3, 4, 5}) EXPECT_EQ(out[i], 1.0f) << spconv_f32_kernel_name(*kernel) << ' ' << i;
  }
}

TEST(SpConvF32, WeightsAreViewedFromWhatWasWritten) {
  for (std::uint64_t seed = 5000; seed < 5050; ++seed) {
    const Case c = random_case(seed);
    const auto w = SpConvF32Weights::pack(c.shape, c.filter.data(), FilterStrides::oihw(c.shape), c.bias_or_null());
    PackedWriter writer;
    w.write(writer);
    const auto bytes = std::as_bytes(std::span(writer.bytes()));
    PackedReader whole(bytes, nullptr), shorter(bytes.first(bytes.size() - 1), nullptr);
    const auto again = SpConvF32Weights::view(c.shape, whole);
    ASSERT_TRUE(again);
    EXPECT_EQ(run(c, *again, 1), run(c, w, 1));
    EXPECT_FALSE(SpConvF32Weights::view(c.shape, shorter));
  }
}

TEST(SpConvF32, WeightsThatPointOutsideAreNoWeights) {
  const Case c = random_case(8);
  const auto w = SpConvF32Weights::pack(c.shape, c.filter.data(), FilterStrides::oihw(c.shape), c.bias_or_null());
  PackedWriter writer;
  w.write(writer);
  for (std::size_t at = 0; at + 4 <= writer.bytes().size(); at += 4) {  // either refused, or as good as another weight
    std::string bytes = writer.bytes();
    for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = '\x7F';
    PackedReader reader(std::as_bytes(std::span(bytes)), nullptr);
    if (const auto again = SpConvF32Weights::view(c.shape, reader)) run(c, *again, 1);
  }
}

}  // namespace
}  // namespace pare::kernels
