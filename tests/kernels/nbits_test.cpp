// Every row of the low-bit products against sums in double precision over the weights as they are defined.
#include "kernels/nbits/nbits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "random.h"

namespace pare::kernels::test {
namespace {

struct Case {
  NBitsShape shape;
  std::int64_t m = 1;
  std::vector<std::uint8_t> codes;  ///< [n, k]
  std::vector<float> scale, zero, table, a, bias;
  std::int64_t table_stride = 0;  ///< 0: one codebook for all outputs
  NBitsValues values;

  double weight(std::int64_t n, std::int64_t k) const {
    const std::int64_t group = n * shape.blocks() + k / shape.block;
    const int code = codes[static_cast<std::size_t>(n * shape.k + k)];
    const double factor = scale.empty() ? 1.0 : static_cast<double>(scale[static_cast<std::size_t>(group)]);
    if (!table.empty()) return static_cast<double>(table[static_cast<std::size_t>(n * table_stride + code)]) * factor;
    const double point =
        zero.empty() ? std::ldexp(1.0, shape.bits - 1) : static_cast<double>(zero[static_cast<std::size_t>(group)]);
    return (code - point) * factor;
  }
};

Case random_case(Random& random) {
  Case c;
  const int bits[] = {2, 3, 4, 8};
  const std::int64_t blocks[] = {16, 32, 64, 128, 256};
  c.shape.bits = bits[random.integer(0, 3)];
  c.shape.n = random.integer(1, 70);
  c.shape.k = random.coin(0.2) ? random.integer(1, 20) : random.integer(1, 700);
  c.shape.block = random.coin(0.3) ? c.shape.k : blocks[random.integer(c.shape.bits == 3 ? 1 : 0, 4)];
  c.m = random.coin() ? random.integer(1, 8) : random.integer(9, 40);
  const bool codebook = random.coin(0.4), by_output = codebook && random.coin();
  if (by_output || (codebook && c.shape.bits == 8)) c.shape.block = c.shape.k;
  const std::int64_t limit = std::int64_t{1} << c.shape.bits, groups = c.shape.n * c.shape.blocks();
  const std::int64_t entries = codebook ? random.integer(1, limit) : limit;
  c.codes.resize(static_cast<std::size_t>(c.shape.n * c.shape.k));
  for (std::uint8_t& code : c.codes) code = static_cast<std::uint8_t>(random.integer(0, entries - 1));
  if (by_output) c.table_stride = entries;
  if (codebook) c.table = random.reals(by_output ? entries * c.shape.n : entries);
  if (!codebook || random.coin()) c.scale = random.reals(groups, 0.01f, 0.1f);
  if (!codebook && random.coin()) {
    c.zero.resize(static_cast<std::size_t>(groups));
    const bool fractions = random.coin(0.3);
    for (float& z : c.zero)
      z = static_cast<float>(random.integer(0, limit - 1)) + (fractions ? random.real(0, 1) : 0.0f);
  }
  c.a = random.reals(c.m * c.shape.k);
  if (random.coin()) c.bias = random.reals(c.shape.n);
  c.values = {c.scale.empty() ? nullptr : c.scale.data(), c.zero.empty() ? nullptr : c.zero.data(), c.table,
              c.table_stride};
  return c;
}

NBitsMatrix pack(const Case& c, const NBitsKernel* kernel = nullptr) {
  return NBitsMatrix::pack(
      c.shape, c.values,
      [&](std::int64_t n, std::uint8_t* out) { std::copy_n(c.codes.data() + n * c.shape.k, c.shape.k, out); }, kernel);
}

std::vector<float> run(const NBitsMatrix& matrix, const Case& c, int threads,
                       NBitsInputs inputs = NBitsInputs::kFloat) {
  std::vector<float> y(static_cast<std::size_t>(c.m * c.shape.n), NAN);
  std::vector<std::byte> scratch(nbits_scratch_bytes(matrix, c.m, threads, inputs) + 64);
  void* aligned = scratch.data() + (64 - reinterpret_cast<std::uintptr_t>(scratch.data()) % 64) % 64;
  nbits_matmul(matrix, c.m, c.a.data(), c.bias.empty() ? nullptr : c.bias.data(), y.data(), aligned, threads, inputs);
  return y;
}

/// What the int8 form makes of the activations.
std::vector<double> quantized(const Case& c) {
  std::vector<double> a(c.a.size());
  for (std::int64_t r = 0; r < c.m; ++r) {
    for (std::int64_t first = 0; first < c.shape.k; first += c.shape.block) {
      const std::int64_t last = std::min(first + c.shape.block, c.shape.k);
      float most = 0;
      for (std::int64_t k = first; k < last; ++k)
        most = std::max(most, std::abs(c.a[static_cast<std::size_t>(r * c.shape.k + k)]));
      const float inverse = most > 0 ? 127.0f / most : 0.0f;
      for (std::int64_t k = first; k < last; ++k) {
        const auto at = static_cast<std::size_t>(r * c.shape.k + k);
        a[at] = std::nearbyint(c.a[at] * inverse) * static_cast<double>(most / 127.0f);
      }
    }
  }
  return a;
}

/// The nearest bfloat16.
float bf16(float x, bool to_even) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t half = to_even ? 0x7FFF + (bits >> 16 & 1) : 0x8000;
  return std::bit_cast<float>((bits + half) & 0xFFFF0000);
}

/// What the bfloat16 form makes of the weights, whose f32 it rounds, and of the activations.
struct InBf16 {
  std::vector<double> a, weights;

  explicit InBf16(const Case& c) {
    for (const float x : c.a) a.push_back(static_cast<double>(bf16(x, true)));
    const float centre = std::ldexp(1.0f, c.shape.bits - 1);
    for (std::int64_t n = 0; n < c.shape.n; ++n)
      for (std::int64_t k = 0; k < c.shape.k; ++k) {
        const auto group = static_cast<std::size_t>(n * c.shape.blocks() + k / c.shape.block);
        const int code = c.codes[static_cast<std::size_t>(n * c.shape.k + k)];
        const float scale = c.scale.empty() ? 1.0f : c.scale[group],
                    offset = c.zero.empty() ? 0.0f : (centre - c.zero[group]) * scale;
        const float number = c.table.empty() ? static_cast<float>(code) - centre
                                             : c.table[static_cast<std::size_t>(n * c.table_stride + code)];
        weights.push_back(static_cast<double>(bf16(std::fma(number, scale, offset), false)));
      }
  }
};

/// `weights`: in place of what they mean.
void expect_product(const Case& c, const std::vector<double>& a, const std::vector<float>& y, const char* kernel,
                    const std::vector<double>* weights = nullptr) {
  for (std::int64_t r = 0; r < c.m; ++r) {
    for (std::int64_t n = 0; n < c.shape.n; ++n) {
      double sum = c.bias.empty() ? 0 : static_cast<double>(c.bias[static_cast<std::size_t>(n)]), size = std::abs(sum);
      for (std::int64_t k = 0; k < c.shape.k; ++k) {
        const double w = weights ? (*weights)[static_cast<std::size_t>(n * c.shape.k + k)] : c.weight(n, k);
        const double term = a[static_cast<std::size_t>(r * c.shape.k + k)] * w;
        sum += term;
        size += std::abs(term);
      }
      ASSERT_NEAR(static_cast<double>(y[static_cast<std::size_t>(r * c.shape.n + n)]), sum, 1e-5 * size + 1e-6)
          << kernel << " bits " << c.shape.bits << " n " << c.shape.n << " k " << c.shape.k << " block "
          << c.shape.block << " m " << c.m << " table " << c.table.size() << " at " << r << "," << n;
    }
  }
}

TEST(NBits, EveryRowMultipliesWhatTheWeightsMean) {
  int cases = 0;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    const Case c = random_case(random);
    const std::vector<double> exact(c.a.begin(), c.a.end());
    for (const NBitsKernel* kernel : nbits_kernels()) {
      if (!isa_available(nbits_kernel_isa(*kernel))) continue;
      const NBitsMatrix matrix = pack(c, kernel);
      expect_product(c, exact, run(matrix, c, 1), matrix.kernel_name());
      ++cases;
      if (matrix.has(NBitsInputs::kBf16)) {
        const InBf16 rounded(c);
        expect_product(c, rounded.a, run(matrix, c, 1, NBitsInputs::kBf16), "bf16", &rounded.weights);
        ++cases;
      }
      if (!matrix.has(NBitsInputs::kInt8)) continue;
      expect_product(c, quantized(c), run(matrix, c, 1, NBitsInputs::kInt8), "int8");
      ++cases;
    }
  }
  const auto rows = std::count_if(nbits_kernels().begin(), nbits_kernels().end(),
                                  [](const NBitsKernel* kernel) { return isa_available(nbits_kernel_isa(*kernel)); });
  EXPECT_GE(cases, 500 * rows);
}

Case numbers_case(Random& random, const NBitsShape& shape, std::int64_t m, bool zero) {
  Case c;
  c.shape = shape, c.m = m;
  const int limit = 1 << shape.bits;
  c.codes = random.bytes(shape.n * shape.k);
  for (std::uint8_t& code : c.codes) code = static_cast<std::uint8_t>(code % limit);
  c.scale = random.reals(shape.n * shape.blocks(), 0.01f, 0.1f);
  if (zero) c.zero.resize(c.scale.size());
  for (float& z : c.zero) z = static_cast<float>(random.integer(0, limit - 1));
  // Sums of four uniform numbers: nearly normal, as activations are.
  c.a = random.reals(m * shape.k);
  for (int i = 0; i < 3; ++i) {
    const std::vector<float> more = random.reals(m * shape.k);
    for (std::size_t at = 0; at < more.size(); ++at) c.a[at] += more[at];
  }
  c.bias = random.reals(shape.n);
  c.values = {c.scale.data(), c.zero.empty() ? nullptr : c.zero.data(), {}};
  return c;
}

/// Rows that fill tiles badly, more of them than are multiplied at a time, and more of K than a cache is given.
TEST(NBits, TilesCoverWhatIsGiven) {
  const struct {
    NBitsShape shape;
    std::int64_t m;
    bool zero;
  } kCases[] = {
      {{33, 70, 32, 4}, 17, true},     {{17, 31, 16, 2}, 33, true},      {{64, 96, 32, 3}, 47, false},
      {{1, 5, 16, 8}, 16, true},       {{48, 300, 128, 8}, 65, true},    {{40, 2100, 32, 4}, 240, true},
      {{31, 2304, 128, 3}, 300, true}, {{20, 9000, 32, 2}, 129, false},
  };
  std::uint64_t seed = 3000;
  for (const auto& [shape, m, zero] : kCases) {
    Random random(seed++);
    const Case c = numbers_case(random, shape, m, zero);
    const NBitsMatrix matrix = pack(c);
    if (!matrix.has(NBitsInputs::kBf16)) GTEST_SKIP() << "no row for it on this CPU";
    const InBf16 rounded(c);
    const std::vector<float> y = run(matrix, c, 1, NBitsInputs::kBf16);
    expect_product(c, rounded.a, y, "bf16", &rounded.weights);
    for (const int threads : {2, 3, 8}) EXPECT_EQ(y, run(matrix, c, threads, NBitsInputs::kBf16)) << threads;
  }
}

/// Root of the mean square of what a product is off by.
double error_of(const Case& c, const std::vector<float>& y) {
  double squares = 0;
  for (std::int64_t r = 0; r < c.m; ++r)
    for (std::int64_t n = 0; n < c.shape.n; ++n) {
      double sum = static_cast<double>(c.bias[static_cast<std::size_t>(n)]);
      for (std::int64_t k = 0; k < c.shape.k; ++k)
        sum += static_cast<double>(c.a[static_cast<std::size_t>(r * c.shape.k + k)]) * c.weight(n, k);
      const double off = static_cast<double>(y[static_cast<std::size_t>(r * c.shape.n + n)]) - sum;
      squares += off * off;
    }
  return std::sqrt(squares / static_cast<double>(c.m * c.shape.n));
}

/// It may so take the place of 8-bit activations.
TEST(NBits, Bf16IsNearerToTheProductThanInt8) {
  for (const int bits : {2, 3, 4, 8})
    for (const std::int64_t block : {32, 128, 512})
      for (const bool zero : {false, true}) {
        Random random(4000 + static_cast<std::uint64_t>(bits));
        const Case c = numbers_case(random, {40, 1024, block, bits}, 32, zero);
        const NBitsMatrix matrix = pack(c);
        if (!matrix.has(NBitsInputs::kBf16)) GTEST_SKIP() << "no row for it on this CPU";
        if (bits == 8 && zero) continue;  // such zero points have no int8 form
        ASSERT_TRUE(matrix.has(NBitsInputs::kInt8));
        const double bf16 = error_of(c, run(matrix, c, 1, NBitsInputs::kBf16)),
                     int8 = error_of(c, run(matrix, c, 1, NBitsInputs::kInt8));
        EXPECT_LT(bf16, int8) << bits << " bits in blocks of " << block;
      }
}

TEST(NBits, ThreadsChangeNothing) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed + 1000);
    const Case c = random_case(random);
    const NBitsMatrix matrix = pack(c);
    for (const NBitsInputs inputs : {NBitsInputs::kFloat, NBitsInputs::kBf16, NBitsInputs::kInt8})
      if (matrix.has(inputs)) {
        EXPECT_EQ(run(matrix, c, 1, inputs), run(matrix, c, 3, inputs));
      }
  }
}

TEST(NBits, WhatIsNotFiniteReachesItsRow) {
  Random random(5);
  Case c = random_case(random);
  c.shape = {20, 64, 32, 4};
  c.m = 2;
  c.codes.assign(20 * 64, 9);
  c.scale.assign(40, 0.5f), c.zero.clear(), c.table.clear(), c.bias.clear();
  c.a = random.reals(128);
  c.values = {c.scale.data(), nullptr, {}};
  for (const float value : {kInfinity, NAN}) {
    c.a[70] = value;
    for (const NBitsKernel* kernel : nbits_kernels()) {
      if (!isa_available(nbits_kernel_isa(*kernel))) continue;
      const NBitsMatrix matrix = pack(c, kernel);
      for (const NBitsInputs inputs : {NBitsInputs::kFloat, NBitsInputs::kBf16}) {
        if (!matrix.has(inputs)) continue;
        const std::vector<float> y = run(matrix, c, 1, inputs);
        for (std::size_t n = 0; n < 20; ++n) {
          EXPECT_TRUE(std::isfinite(y[n])) << nbits_kernel_name(*kernel);
          EXPECT_FALSE(std::isfinite(y[20 + n])) << nbits_kernel_name(*kernel);
        }
      }
    }
  }
}

TEST(NBits, TinyAndHugeActivationsKeepTheirSize) {
  Random random(6);
  Case c = random_case(random);
  c.shape = {16, 64, 32, 4};
  c.m = 3;
  c.codes = random.bytes(16 * 64);
  for (std::uint8_t& code : c.codes) code &= 15;
  c.scale.assign(32, 1.0f), c.zero.clear(), c.table.clear(), c.bias.clear();
  c.values = {c.scale.data(), nullptr, {}};
  for (const float size : {1e-25f, 1e-5f, 1e20f}) {
    c.a = random.reals(3 * 64, -size, size);
    for (const NBitsKernel* kernel : nbits_kernels()) {
      if (!isa_available(nbits_kernel_isa(*kernel))) continue;
      const std::vector<float> y = run(pack(c, kernel), c, 1);
      for (std::int64_t r = 0; r < 3; ++r)
        for (std::int64_t n = 0; n < 16; ++n) {
          double sum = 0, all = 0;
          for (std::int64_t k = 0; k < 64; ++k) {
            const double term = static_cast<double>(c.a[static_cast<std::size_t>(r * 64 + k)]) * c.weight(n, k);
            sum += term, all += std::abs(term);
          }
          EXPECT_NEAR(static_cast<double>(y[static_cast<std::size_t>(r * 16 + n)]), sum, 1e-5 * all);
        }
    }
  }
}

TEST(NBits, WeightsAreViewedFromWhatWasWritten) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed + 2000);
    const Case c = random_case(random);
    const NBitsMatrix matrix = pack(c);
    PackedWriter writer;
    matrix.write(writer);
    const auto bytes = std::as_bytes(std::span(writer.bytes()));
    PackedReader reader(bytes, nullptr);
    const auto again = NBitsMatrix::view(c.shape, c.values, reader);
    ASSERT_TRUE(again);
    EXPECT_EQ(run(matrix, c, 1), run(*again, c, 1));
    PackedReader shorter(bytes.first(bytes.size() - 1), nullptr);
    EXPECT_FALSE(NBitsMatrix::view(c.shape, c.values, shorter));
    NBitsShape other = c.shape;
    other.n += 16;
    PackedReader wrong(bytes, nullptr);
    EXPECT_FALSE(NBitsMatrix::view(other, c.values, wrong));
  }
}

TEST(NBits, WeightsStayPacked) {
  Random random(1);
  Case c = random_case(random);
  c.shape = {256, 1024, 32, 4};
  c.codes.assign(256 * 1024, 3);
  c.scale.assign(256 * 32, 0.1f);
  c.values = {c.scale.data(), nullptr, {}};
  EXPECT_LE(pack(c).bytes(), 256U * 1024 / 2 + 256U * 32 * 5 + 16 * 4);  // and the table
}

}  // namespace
}  // namespace pare::kernels::test
