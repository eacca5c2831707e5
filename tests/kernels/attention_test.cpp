// Attention: every row against sums in double over plain tensors, on odd shapes, strides and masks.
#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include "base/float16.h"
#include "base/threads.h"
#include "kernels/random.h"

namespace pare::kernels {
namespace {

using test::Random;

struct Case {
  AttentionShape shape;
  std::vector<float> q, k, v, mask;
};

/// Heads lie one after the other, or side by side in each position.
HeadStrides strides(bool flat, std::int64_t heads, std::int64_t positions, std::int64_t width) {
  if (flat) return {positions * heads * width, width, heads * width};
  return {positions * heads * width, positions * width, width};
}

Case random_case(std::uint64_t seed) {
  Random random(seed);
  Case c;
  AttentionShape& s = c.shape;
  s.batch = random.integer(1, 2), s.heads = random.integer(1, 3);
  s.queries = random.integer(1, random.coin(0.1) ? 300 : 20), s.keys = random.integer(1, random.coin() ? 20 : 150);
  s.width = random.integer(1, 40), s.value_width = random.integer(1, 70);
  s.scale = random.real(0.05f, 1.5f);
  const bool flat = random.coin();
  s.q = strides(flat, s.heads, s.queries, s.width), s.k = strides(flat, s.heads, s.keys, s.width);
  s.v = strides(flat, s.heads, s.keys, s.value_width), s.out = strides(flat, s.heads, s.queries, s.value_width);
  c.q = random.reals(s.batch * s.heads * s.queries * s.width), c.k = random.reals(s.batch * s.heads * s.keys * s.width);
  c.v = random.reals(s.batch * s.heads * s.keys * s.value_width);
  if (!random.coin(0.7)) return c;
  std::int64_t size = 1;
  for (auto [stride, count] : {std::pair{&s.mask.key, s.keys}, {&s.mask.query, s.queries}, {&s.mask.head, s.heads}, {&s.mask.batch, s.batch}}) {
    if (!random.coin(0.7)) continue;  // broadcast
    *stride = size;
    size *= count;
  }
  if (s.mask.key == 0) s.mask = {}, size = 1;  // as numpy lays out what ends in an axis of size 1, `key` would not be 1
  c.mask = random.reals(size);
  for (float& x : c.mask)
    if (random.coin(0.3)) x = random.coin() ? -3.4e38f : -kInfinity;
  for (std::int64_t at = 0; s.mask.key && at < size; at += s.keys) c.mask[static_cast<std::size_t>(at)] = 0;  // one key is seen
  if (!s.mask.key) c.mask[0] = 1.5f;
  return c;
}

std::vector<float> run(const Case& c, const AttentionKernel* kernel, int threads) {
  const AttentionShape& s = c.shape;
  std::vector<float> out(static_cast<std::size_t>(s.batch * s.heads * s.queries * s.value_width), NAN);
  std::vector<std::byte> scratch(attention_scratch_bytes(s, threads, kernel) + 64, std::byte{0xFF});
  ThreadScope scope(threads);
  attention(s, c.q.data(), c.k.data(), c.v.data(), c.mask.empty() ? nullptr : c.mask.data(), out.data(), scratch.data(),
            threads, kernel);
  return out;
}

/// Element by element from the definition.
std::vector<double> expected(const Case& c) {
  const AttentionShape& s = c.shape;
  std::vector<double> out(static_cast<std::size_t>(s.batch * s.heads * s.queries * s.value_width));
  for (std::int64_t b = 0; b < s.batch; ++b)
    for (std::int64_t h = 0; h < s.heads; ++h)
      for (std::int64_t i = 0; i < s.queries; ++i) {
        std::vector<double> weight(static_cast<std::size_t>(s.keys));
        double largest = -INFINITY, sum = 0;
        for (std::int64_t j = 0; j < s.keys; ++j) {
          double score = 0;
          for (std::int64_t d = 0; d < s.width; ++d)
            score += static_cast<double>(c.q[b * s.q.batch + h * s.q.head + i * s.q.position + d]) *
                     c.k[b * s.k.batch + h * s.k.head + j * s.k.position + d];
          score *= s.scale;
          if (!c.mask.empty()) score += c.mask[b * s.mask.batch + h * s.mask.head + i * s.mask.query + j * s.mask.key];
          weight[j] = score;
          largest = std::max(largest, score);
        }
        for (double& w : weight) sum += w = std::exp(w - largest);
        for (std::int64_t d = 0; d < s.value_width; ++d)
          for (std::int64_t j = 0; j < s.keys; ++j)
            out[b * s.out.batch + h * s.out.head + i * s.out.position + d] +=
                weight[j] / sum * c.v[b * s.v.batch + h * s.v.head + j * s.v.position + d];
      }
  return out;
}

/// With numbers that bfloat16 has, so that only the exponentials are rounded to it.
Case narrowed(Case c) {
  for (std::vector<float>* values : {&c.q, &c.k, &c.v})
    for (float& x : *values) x = bfloat16_to_float(float_to_bfloat16(x));
  return c;
}

TEST(Attention, EveryRowEqualsTheDefinition) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    for (const AttentionKernel* kernel : attention_kernels()) {
      if (!isa_available(attention_kernel_isa(*kernel))) continue;
      const bool narrow = attention_kernel_narrow(*kernel);
      const Case c = narrow ? narrowed(random_case(seed)) : random_case(seed);
      const std::vector<double> want = expected(c);
      const std::vector<float> got = run(c, kernel, 1);
      for (std::size_t i = 0; i < want.size(); ++i)
        ASSERT_NEAR(got[i], want[i], narrow ? 1.0 / 256 : 1e-5) << attention_kernel_name(*kernel) << " seed " << seed << " output " << i;
      ASSERT_EQ(run(c, kernel, 3), got) << attention_kernel_name(*kernel) << " seed " << seed << ": threads differ";
    }
  }
}

TEST(Attention, NarrowRowsAreTakenWhereTheyAreAskedFor) {
  EXPECT_FALSE(attention_kernel_narrow(best_attention_kernel()));
  EXPECT_EQ(attention_kernel_narrow(best_attention_kernel(true)), isa_available(Isa::kAmx));
}

TEST(Attention, WhatIsNotANumberStaysSo) {
  Case c = random_case(1);
  c.mask.assign(static_cast<std::size_t>(c.shape.keys), -kInfinity);
  c.shape.mask = {0, 0, 0, 1};
  for (const AttentionKernel* kernel : attention_kernels()) {
    if (!isa_available(attention_kernel_isa(*kernel))) continue;
    for (float x : run(c, kernel, 1)) ASSERT_TRUE(std::isnan(x)) << attention_kernel_name(*kernel);
  }
  c.mask.assign(c.mask.size(), 0);
  c.q[0] = NAN;  // of the first query of the first head
  for (const AttentionKernel* kernel : attention_kernels()) {
    if (!isa_available(attention_kernel_isa(*kernel))) continue;
    const std::vector<float> got = run(c, kernel, 1);
    for (std::int64_t d = 0; d < c.shape.value_width; ++d) ASSERT_TRUE(std::isnan(got[d])) << attention_kernel_name(*kernel);
    ASSERT_EQ(std::count_if(got.begin(), got.end(), [](float x) { return std::isnan(x); }), c.shape.value_width);
  }
}

}  // namespace
}  // namespace pare::kernels
