#include <gtest/gtest.h>

#include <limits>

#include "base/threads.h"
#include "kernels/reduce/reduce.h"
#include "kernels/softmax/softmax.h"
#include "random.h"

namespace pare::kernels {
namespace {

using test::Random;

struct View {
  std::int64_t outer, axis, inner;
  std::int64_t at(std::int64_t o, std::int64_t a, std::int64_t i) const { return (o * axis + a) * inner + i; }
};

View random_view(Random& random) {
  return {random.integer(1, 5), random.integer(1, random.coin(0.2) ? 1000 : 40),
          random.coin() ? 1 : random.integer(2, 50)};
}

TEST(Softmax, RandomViews) {
  for (std::uint64_t seed = 0; seed < 800; ++seed) {
    Random random(seed);
    const View v = random_view(random);
    const float range = random.coin() ? 3.0f : 60.0f;
    std::vector<float> in = random.reals(v.outer * v.axis * v.inner, -range, range), out(in.size()), log_out(in.size());
    ThreadScope threads(static_cast<int>(random.integer(1, 3)));
    const char* const isas[] = {"", "avx2", "scalar"};
    test::ScopedEnv force("PARE_FORCE_ISA", isas[seed % 3]);
    softmax(v.outer, v.axis, v.inner, in.data(), out.data());
    log_softmax(v.outer, v.axis, v.inner, in.data(), log_out.data());
    for (std::int64_t o = 0; o < v.outer; ++o) {
      for (std::int64_t i = 0; i < v.inner; ++i) {
        double max = -HUGE_VAL, sum = 0;
        for (std::int64_t a = 0; a < v.axis; ++a) max = std::max<double>(max, in[v.at(o, a, i)]);
        for (std::int64_t a = 0; a < v.axis; ++a) sum += std::exp(in[v.at(o, a, i)] - max);
        for (std::int64_t a = 0; a < v.axis; ++a) {
          const double log_want = in[v.at(o, a, i)] - max - std::log(sum);
          ASSERT_NEAR(out[v.at(o, a, i)], std::exp(log_want), 2e-6 * std::exp(log_want) + 1e-9) << "seed " << seed;
          ASSERT_NEAR(log_out[v.at(o, a, i)], log_want, 1e-5 + 1e-6 * std::abs(log_want)) << "seed " << seed;
        }
      }
    }
    softmax(v.outer, v.axis, v.inner, in.data(), in.data());
    ASSERT_EQ(in, out) << "in place, seed " << seed;
  }
}

double definition(ReduceOp op, const std::vector<double>& x) {
  double sum = 0, product = 1, square = 0, absolute = 0, max = -HUGE_VAL, min = HUGE_VAL, exponential = 0;
  for (double v : x) {
    sum += v, product *= v, square += v * v, absolute += std::abs(v), exponential += std::exp(v);
    max = std::max(max, v), min = std::min(min, v);
  }
  switch (op) {
    case ReduceOp::kSum:
      return sum;
    case ReduceOp::kMean:
      return sum / static_cast<double>(x.size());
    case ReduceOp::kMax:
      return max;
    case ReduceOp::kMin:
      return min;
    case ReduceOp::kProd:
      return product;
    case ReduceOp::kSumSquare:
      return square;
    case ReduceOp::kL1:
      return absolute;
    case ReduceOp::kL2:
      return std::sqrt(square);
    case ReduceOp::kLogSumExp:
      return std::log(exponential);
  }
  return 0;
}

TEST(Reduce, RandomViewsAndOperators) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Random random(seed);
    const View v = random_view(random);
    const auto op = static_cast<ReduceOp>(seed % 9);
    const std::vector<float> in = random.reals(v.outer * v.axis * v.inner, -2, 2);
    std::vector<float> out(v.outer * v.inner);
    reduce(op, v.outer, v.axis, v.inner, in.data(), out.data());
    for (std::int64_t o = 0; o < v.outer; ++o) {
      for (std::int64_t i = 0; i < v.inner; ++i) {
        std::vector<double> x;
        for (std::int64_t a = 0; a < v.axis; ++a) x.push_back(in[v.at(o, a, i)]);
        const double want = definition(op, x);
        ASSERT_NEAR(out[o * v.inner + i], want, 1e-6 * std::abs(want) + 1e-9) << "seed " << seed;
      }
    }
  }
}

TEST(Reduce, EmptyAxisAndNan) {
  float out[3];
  reduce(ReduceOp::kSum, 1, 0, 3, nullptr, out);
  EXPECT_EQ(out[2], 0.0f);
  reduce(ReduceOp::kMax, 1, 0, 1, nullptr, out);
  EXPECT_EQ(out[0], -kInfinity);
  reduce(ReduceOp::kMean, 1, 0, 1, nullptr, out);
  EXPECT_TRUE(std::isnan(out[0]));
  std::vector<float> in(50, 1.0f);
  for (ReduceOp op : {ReduceOp::kSum, ReduceOp::kMax, ReduceOp::kMin, ReduceOp::kLogSumExp}) {
    for (std::size_t where : {0, 31, 32, 49}) {
      std::vector<float> with_nan = in;
      with_nan[where] = std::numeric_limits<float>::quiet_NaN();
      reduce(op, 1, 50, 1, with_nan.data(), out);
      EXPECT_TRUE(std::isnan(out[0])) << static_cast<int>(op) << " at " << where;
    }
  }
}

TEST(ArgReduce, FirstAndLastOfEquals) {
  const float in[] = {1, 3, 3, 0, 0};
  std::int64_t out = -1;
  arg_reduce(true, false, 1, 5, 1, in, &out);
  EXPECT_EQ(out, 1);
  arg_reduce(true, true, 1, 5, 1, in, &out);
  EXPECT_EQ(out, 2);
  arg_reduce(false, false, 1, 5, 1, in, &out);
  EXPECT_EQ(out, 3);
  arg_reduce(false, true, 1, 5, 1, in, &out);
  EXPECT_EQ(out, 4);
}

TEST(ArgReduce, Columns) {
  const float in[] = {1, 9, 5, 2};  // [2, 2]
  std::int64_t out[2];
  arg_reduce(true, false, 1, 2, 2, in, out);
  EXPECT_EQ(out[0], 1);
  EXPECT_EQ(out[1], 0);
}

}  // namespace
}  // namespace pare::kernels
