// Integer convolution: every row against plain loops, bit for bit, and the reference against an independent formula.
#include "kernels/qconv/qconv.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/threads.h"
#include "qconv_case.h"

namespace pare::kernels {
namespace {

using test::QConvCase;
using test::Random;

QConvCase random_case(std::uint64_t seed) {
  Random random(seed);
  QConvCase c;
  c.shape = random.coin(0.25) ? ConvShape::matmul(random.integer(1, 40), 1, 1) : test::random_geometry(random);
  c.shape.groups = random.coin(0.25) ? random.integer(2, 4) : 1;
  c.shape.in_c = c.shape.groups * random.integer(1, random.coin(0.2) ? 150 : 20);
  c.shape.out_c = c.shape.groups * random.integer(1, random.coin(0.2) ? 70 : 20);
  test::fill_case(random, c);
  return c;
}

std::vector<std::uint8_t> run(const QConvCase& c, const QConvKernel* kernel, int threads) {
  const QConvWeights w =
      QConvWeights::pack(c.shape, c.weights, c.input_type, c.input_zero_point, c.bias_or_null(), kernel);
  std::vector<std::byte> scratch(qconv_scratch_bytes(w, c.shape, threads));
  std::vector<std::uint8_t> out(c.output_bytes());
  ThreadScope scope(threads);
  qconv(w, c.shape, c.input.data(), c.epilogue, out.data(), scratch.data(), threads);
  return out;
}

const QConvKernel* reference() { return qconv_kernels().back(); }

// One output element by the formula of the header, in int64 and double where exactness allows, written anew.
double expected_accumulator(const QConvCase& c, std::int64_t n, std::int64_t oy, std::int64_t ox, std::int64_t o) {
  const ConvShape& s = c.shape;
  const std::int64_t group = o / (s.out_c / s.groups), per_group = s.in_c / s.groups;
  std::int64_t acc = c.bias.empty() ? 0 : c.bias[o];
  for (std::int64_t i = 0; i < per_group; ++i) {
    for (std::int64_t ky = 0; ky < s.kh; ++ky) {
      for (std::int64_t kx = 0; kx < s.kw; ++kx) {
        const std::int64_t y = oy * s.stride_h + ky * s.dilation_h - s.pad_top,
                           x = ox * s.stride_w + kx * s.dilation_w - s.pad_left;
        std::int64_t value = c.input_zero_point;
        if (y >= 0 && y < s.in_h && x >= 0 && x < s.in_w) {
          const std::uint8_t byte = c.input[((n * s.in_h + y) * s.in_w + x) * s.in_c + group * per_group + i];
          value = c.input_type == DType::kInt8 ? static_cast<std::int8_t>(byte) : byte;
        }
        const std::uint8_t raw = c.filter[((o * per_group + i) * s.kh + ky) * s.kw + kx];
        const std::int64_t weight = c.weights.is_unsigned ? raw : static_cast<std::int8_t>(raw);
        acc += (value - c.input_zero_point) * (weight - (c.weight_zero_point.empty() ? 0 : c.weight_zero_point[o]));
      }
    }
  }
  return static_cast<double>(acc);
}

double expected_output(const QConvCase& c, double acc, std::int64_t at, std::int64_t o) {
  const QConvEpilogue& e = c.epilogue;
  double v = acc * e.multiplier[o];
  if (e.first.multiplier != 0) {  // in float, so that ties fall alike
    const float own = static_cast<float>(acc) * e.multiplier[o];
    v = static_cast<double>(std::nearbyint(std::clamp(own, e.first.lo, e.first.hi))) * e.first.multiplier;
  }
  if (e.residual_type == DType::kFloat32) v += static_cast<double>(c.residual32[at]) * e.residual_multiplier;
  if (e.residual_type == DType::kUint8)
    v += (c.residual8[at] - e.residual_zero_point) * static_cast<double>(e.residual_multiplier);
  if (e.residual_type == DType::kInt8) {
    v += (static_cast<std::int8_t>(c.residual8[at]) - e.residual_zero_point) *
         static_cast<double>(e.residual_multiplier);
  }
  v = v < e.lo ? e.lo : v;  // the lower bound first: lo > hi gives hi
  v = v > e.hi ? e.hi : v;
  if (e.output_type == DType::kFloat32) return v;
  const double lowest = e.output_type == DType::kInt8 ? -128 : 0;
  return std::clamp(std::nearbyint(v) + e.out_zero_point, lowest, lowest + 255);
}

double output_at(const QConvCase& c, const std::vector<std::uint8_t>& out, std::int64_t at) {
  if (c.epilogue.output_type == DType::kFloat32) {
    float v;
    std::memcpy(&v, out.data() + 4 * at, 4);
    return v;
  }
  return c.epilogue.output_type == DType::kInt8 ? static_cast<std::int8_t>(out[at]) : out[at];
}

TEST(QConv, ReferenceFollowsTheFormula) {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const QConvCase c = random_case(seed);
    const std::vector<std::uint8_t> out = run(c, reference(), 1);
    std::int64_t at = 0, off = 0;
    for (std::int64_t pixel = 0; pixel < c.shape.pixels(); ++pixel) {
      const std::int64_t n = pixel / (c.shape.out_h * c.shape.out_w), oy = pixel / c.shape.out_w % c.shape.out_h;
      for (std::int64_t o = 0; o < c.shape.out_c; ++o, ++at) {
        const double want = expected_output(c, expected_accumulator(c, n, oy, pixel % c.shape.out_w, o), at, o);
        const double difference = std::abs(output_at(c, out, at) - want);
        if (c.epilogue.output_type == DType::kFloat32)
          ASSERT_LE(difference, 1e-5 * std::abs(want) + 1e-4) << "seed " << seed;
        else
          ASSERT_LE(difference, 1) << "seed " << seed;
        off += c.epilogue.output_type != DType::kFloat32 && difference != 0;  // a tie that f32 sees and double does not
      }
    }
    EXPECT_LE(off, 1 + at / 500) << "seed " << seed;
  }
}

TEST(QConv, EveryRowEqualsTheReferenceBitForBit) {
  for (const QConvKernel* kernel : qconv_kernels()) {
    if (!isa_available(qconv_kernel_isa(*kernel))) continue;
    for (std::uint64_t seed = 0; seed < 1500; ++seed) {
      const QConvCase c = random_case(seed);
      const std::vector<std::uint8_t> want = run(c, reference(), 1);
      ASSERT_EQ(run(c, kernel, 1), want) << qconv_kernel_name(*kernel) << " seed " << seed;
      if (seed % 16 != 0) continue;
      ASSERT_EQ(run(c, kernel, 3), want) << qconv_kernel_name(*kernel) << " 3 threads, seed " << seed;
    }
  }
}

// Lines of outputs that fill tiles, whole panels, and epilogues of the usual kind.
QConvCase wide_case(std::uint64_t seed) {
  Random random(seed);
  QConvCase c;
  c.shape = test::random_geometry(random);
  c.shape.dilation_w = random.coin(0.8) ? 1 : 2;
  c.shape.in_w = random.integer(20, 70);
  c.shape.out_w = (c.shape.in_w + c.shape.pad_left + random.integer(0, 2) - c.shape.dilation_w * (c.shape.kw - 1) - 1) /
                      c.shape.stride_w + 1;
  c.shape.in_c = random.coin() ? random.integer(1, 5) : random.integer(6, 140);
  c.shape.out_c = random.coin() ? 32 * random.integer(1, 3) : random.integer(1, 100);
  test::fill_case(random, c);
  if (random.coin(0.2)) return c;
  c.weight_zero_point.clear();
  c.weights.zero_point = nullptr, c.weights.is_unsigned = false;
  if (c.epilogue.output_type != DType::kFloat32) return c;
  c.epilogue.output_type = DType::kUint8;
  c.epilogue.out_zero_point = static_cast<std::int32_t>(random.integer(0, 255));
  return c;
}

TEST(QConv, WideImagesInEveryRow) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const QConvCase c = wide_case(seed);
    const std::vector<std::uint8_t> want = run(c, reference(), 2);
    for (const QConvKernel* kernel : qconv_kernels()) {
      if (!isa_available(qconv_kernel_isa(*kernel))) continue;
      ASSERT_EQ(run(c, kernel, 1), want) << qconv_kernel_name(*kernel) << " seed " << seed;
      if (seed % 8 != 0) continue;
      ASSERT_EQ(run(c, kernel, 3), want) << qconv_kernel_name(*kernel) << " 3 threads, seed " << seed;
    }
  }
}

TEST(QConv, BlocksLargerThanScratchAndManyPanels) {
  Random random(7);
  for (const QConvKernel* kernel : qconv_kernels()) {
    if (!isa_available(qconv_kernel_isa(*kernel))) continue;
    QConvCase c;
    c.shape = {.batch = 1,
               .in_h = 9,
               .in_w = 13,
               .in_c = 517,
               .out_h = 9,
               .out_w = 13,
               .out_c = 37,
               .kh = 3,
               .kw = 3,
               .pad_top = 1,
               .pad_left = 1};
    test::fill_case(random, c);
    for (int threads : {1, 2, 5})
      EXPECT_EQ(run(c, kernel, threads), run(c, reference(), 1)) << qconv_kernel_name(*kernel);
  }
}

TEST(QConv, ResidualMayBeTheOutput) {
  QConvCase c;
  Random random(3);
  c.shape = ConvShape::matmul(29, 64, 48);
  test::fill_case(random, c);
  c.epilogue.output_type = c.epilogue.residual_type = DType::kUint8;
  c.epilogue.out_zero_point = 7;
  c.residual8 = random.bytes(c.outputs());
  c.epilogue.residual = c.residual8.data();
  const std::vector<std::uint8_t> want = run(c, reference(), 1);
  std::vector<std::uint8_t> out = c.residual8;
  const QConvWeights w = QConvWeights::pack(c.shape, c.weights, c.input_type, c.input_zero_point, c.bias_or_null());
  std::vector<std::byte> scratch(qconv_scratch_bytes(w, c.shape, 1));
  c.epilogue.residual = out.data();
  qconv(w, c.shape, c.input.data(), c.epilogue, out.data(), scratch.data(), 1);
  EXPECT_EQ(out, want);
}

TEST(QConv, AResidualMayBeSharedByAllPixels) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    QConvCase c = seed % 2 ? random_case(seed) : wide_case(seed);
    Random random(seed);
    c.epilogue.residual_type = DType::kFloat32;
    c.epilogue.residual_zero_point = 0;
    const std::vector<float> shared = random.reals(c.shape.out_c, -50, 50);
    c.residual32.clear();
    for (std::int64_t pixel = 0; pixel < c.shape.pixels(); ++pixel)
      c.residual32.insert(c.residual32.end(), shared.begin(), shared.end());
    c.epilogue.residual = c.residual32.data();
    const std::vector<std::uint8_t> want = run(c, reference(), 1);
    c.epilogue.residual = shared.data();
    c.epilogue.residual_shared = true;
    for (const QConvKernel* kernel : qconv_kernels()) {
      if (!isa_available(qconv_kernel_isa(*kernel))) continue;
      ASSERT_EQ(run(c, kernel, 1), want) << qconv_kernel_name(*kernel) << " seed " << seed;
    }
  }
}

TEST(QConv, NonFiniteValuesSaturateDeterministically) {
  for (const QConvKernel* kernel : qconv_kernels()) {
    if (!isa_available(qconv_kernel_isa(*kernel))) continue;
    QConvCase c;
    Random random(5);
    c.shape = ConvShape::matmul(7, 33, 32);
    test::fill_case(random, c);
    std::fill(c.multiplier.begin(), c.multiplier.end(), std::numeric_limits<float>::quiet_NaN());
    c.multiplier[3] = kInfinity;
    EXPECT_EQ(run(c, kernel, 1), run(c, reference(), 1)) << qconv_kernel_name(*kernel);
  }
}

TEST(QConv, ForcedIsaTakesEffect) {
  const QConvCase c = random_case(1);
  const auto chosen = [&] {
    return std::string(QConvWeights::pack(c.shape, c.weights, c.input_type, c.input_zero_point, nullptr).kernel_name());
  };
  {
    test::ScopedEnv force("PARE_FORCE_ISA", "scalar");
    EXPECT_EQ(chosen(), "qconv__reference");
  }
  if (!isa_available(Isa::kAvx2)) GTEST_SKIP() << "this CPU has no AVX2";
  test::ScopedEnv force("PARE_FORCE_ISA", "avx2");
  EXPECT_EQ(chosen(), "qconv__avx2_6x16");
}

}  // namespace
}  // namespace pare::kernels
