#include "compress/prune/obs_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "../fakes.h"
#include "base/linear_algebra.h"
#include "compress/prune/obs_update.h"

namespace pare::compress {
namespace {

ir::WeightView matrix_view(std::int64_t outputs, std::int64_t inputs) {
  return {.outputs = outputs, .taps = 1, .inputs = inputs, .output_stride = inputs, .tap_stride = 1, .input_stride = 1};
}

/// A Aᵀ + 1 of a random A.
std::vector<double> positive(std::int64_t n, std::uint64_t seed) {
  const Tensor a = random_tensor({n, n}, seed, 1.0F);
  const auto values = a.data<float>();
  const auto size = static_cast<std::size_t>(n);
  std::vector<double> h(size * size, 0.0);
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j < size; ++j) {
      for (std::size_t k = 0; k < size; ++k)
        h[i * size + j] += static_cast<double>(values[i * size + k]) * static_cast<double>(values[j * size + k]);
      if (i == j) h[i * size + j] += 1;
    }
  return h;
}

/// Algorithm 1 as the paper writes it, column after column over the whole row.
void sweep_literally(ObsRows& rows, std::size_t block, double sparsity, const std::vector<double>& u) {
  for (std::size_t begin = 0; begin < rows.n; begin += block) {
    const std::size_t end = std::min(begin + block, rows.n);
    std::vector<std::pair<double, std::size_t>> costs;
    for (std::size_t j = begin; j < end; ++j)
      for (std::size_t r = 0; r < rows.count; ++r)
        costs.emplace_back(std::pow(rows.weights[rows.at(j, r)] / u[j * rows.n + j], 2), rows.at(j, r));
    std::sort(costs.begin(), costs.end());
    for (std::size_t i = 0; i < static_cast<std::size_t>(std::llround(sparsity * static_cast<double>(costs.size()))); ++i)
      rows.gone[costs[i].second] = true;
    for (std::size_t j = begin; j < end; ++j)
      for (std::size_t r = 0; r < rows.count; ++r) {
        if (!rows.gone[rows.at(j, r)]) continue;
        const double step = rows.weights[rows.at(j, r)] / u[j * rows.n + j];
        for (std::size_t k = j + 1; k < rows.n; ++k) rows.weights[rows.at(k, r)] -= step * u[j * rows.n + k];
      }
  }
}

TEST(ObsSweep, PanelsGiveWhatColumnsGive) {
  const std::int64_t n = 300, outputs = 70;  // three panels of 96 and a rest; two parts of rows and a rest
  const PruneTarget target{"w", random_tensor({outputs, n}, 2), matrix_view(outputs, n)};
  const std::vector<double> u = cholesky_of_inverse(positive(n, 1), n);
  PruneRule rule;
  rule.sparsity = 0.6;
  ObsRows got(target, true, 0, outputs), want(target, true, 0, outputs);
  obs_sweep(got, rule, 32, u, true);
  sweep_literally(want, 32, 0.6, u);
  EXPECT_EQ(got.gone, want.gone);
  for (std::size_t i = 0; i < got.weights.size(); ++i) {
    if (got.gone[i]) continue;
    EXPECT_NEAR(got.weights[i], want.weights[i], 1e-9) << i;
  }
}

TEST(ObsRefit, FewZerosAndManyGiveTheNormalEquations) {
  const std::int64_t n = 24, outputs = 6;
  const std::vector<double> h = positive(n, 3);
  const PruneTarget target{"w", random_tensor({outputs, n}, 4), matrix_view(outputs, n)};
  for (const double sparsity : {0.2, 0.7}) {
    ObsRows rows(target, true, 0, outputs);
    const std::vector<double> original = rows.weights;
    PruneRule rule;
    rule.sparsity = sparsity;
    obs_sweep(rows, rule, 128, cholesky_of_inverse(h, n), false);
    obs_refit(rows, h, original);
    for (std::size_t r = 0; r < rows.count; ++r)
      for (std::size_t i = 0; i < rows.n; ++i) {
        if (rows.gone[rows.at(i, r)]) continue;
        double slope = 0;  // of the squared error by this weight: (H·(v − w))_i
        for (std::size_t j = 0; j < rows.n; ++j)
          slope += h[i * rows.n + j] *
                   ((rows.gone[rows.at(j, r)] ? 0 : rows.weights[rows.at(j, r)]) - original[rows.at(j, r)]);
        EXPECT_NEAR(slope, 0, 1e-8) << sparsity;
      }
  }
}

/// What a row's squared error is with the best weights on all columns but `out`.
double error_without(const std::vector<double>& weights, const std::vector<double>& h,
                     const std::vector<std::size_t>& out) {
  const std::size_t n = weights.size();
  std::vector<std::size_t> stay;
  for (std::size_t j = 0; j < n; ++j)
    if (std::find(out.begin(), out.end(), j) == out.end()) stay.push_back(j);
  std::vector<double> matrix, right, best(n, 0.0);
  for (std::size_t i : stay) {
    double sum = 0;
    for (std::size_t j = 0; j < n; ++j) sum += h[i * n + j] * weights[j];
    right.push_back(sum);
    for (std::size_t j : stay) matrix.push_back(h[i * n + j]);
  }
  const auto size = static_cast<std::int64_t>(stay.size());
  const std::vector<double> v = solve_positive(matrix, size, right, 1);
  for (std::size_t i = 0; i < stay.size(); ++i) best[stay[i]] = v[i];
  double error = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) error += (best[i] - weights[i]) * h[i * n + j] * (best[j] - weights[j]);
  return error;
}

/// Blocks of `wide` columns that rows lose by brute force: at each step the one whose removal from all of them, with
/// the best of the others, costs least.
std::vector<std::size_t> greedy_literally(const std::vector<std::vector<double>>& rows, const std::vector<double>& h,
                                          std::size_t wide, std::size_t count) {
  std::vector<std::size_t> gone, columns;
  const auto with = [&](std::size_t block) {
    std::vector<std::size_t> out = columns;
    for (std::size_t j = block * wide; j < (block + 1) * wide; ++j) out.push_back(j);
    return out;
  };
  while (gone.size() < count) {
    std::pair<double, std::size_t> least = {1e30, 0};
    for (std::size_t block = 0; block < rows[0].size() / wide; ++block) {
      if (std::find(gone.begin(), gone.end(), block) != gone.end()) continue;
      double error = 0;
      for (const std::vector<double>& weights : rows) error += error_without(weights, h, with(block));
      least = std::min(least, {error, block});
    }
    gone.push_back(least.second);
    columns = with(least.second);
  }
  return gone;
}

std::vector<double> row_of(const ObsRows& rows, std::size_t row) {
  std::vector<double> weights;
  for (std::size_t j = 0; j < rows.n; ++j) weights.push_back(rows.weights[rows.at(j, row)]);
  return weights;
}

TEST(ObsExact, OneRowLosesWhatBruteForceSays) {
  const std::int64_t n = 12;
  const std::vector<double> h = positive(n, 6);
  const PruneTarget target{"w", random_tensor({1, n}, 7), matrix_view(1, n)};
  PruneRule rule;
  rule.sparsity = 0.5;
  ObsRows rows(target, true, 0, 1);
  obs_exact(rows, rule, inverse_of_positive(h, n));
  std::vector<char> want(12, 0);
  for (std::size_t j : greedy_literally({row_of(rows, 0)}, h, 1, 6)) want[j] = 1;
  EXPECT_EQ(rows.gone, want);
}

TEST(ObsExact, StripsLoseTheBlocksThatBruteForceSays) {
  const std::int64_t n = 12;
  const std::vector<double> h = positive(n, 16), inverse = inverse_of_positive(h, n);
  for (const auto& [pattern, tall, wide] : {std::tuple{"1x3", 1, 3}, {"2x2", 2, 2}, {"3x4", 3, 4}}) {
    const auto outputs = static_cast<std::size_t>(tall);
    const PruneTarget target{"w", random_tensor({tall, n}, 17), matrix_view(tall, n)};
    PruneRule rule;
    rule.pattern = ir::SparsityPattern::parse(pattern);
    rule.sparsity = 0.5;
    ObsRows rows(target, true, 0, tall);
    std::vector<std::vector<double>> weights;
    for (std::size_t r = 0; r < outputs; ++r) weights.push_back(row_of(rows, r));
    const auto columns = static_cast<std::size_t>(wide);
    const auto blocks = static_cast<std::size_t>(std::lround(0.5 * 12 / wide));
    std::vector<char> want(rows.gone.size(), 0);
    for (std::size_t block : greedy_literally(weights, h, columns, blocks))
      for (std::size_t j = block * columns; j < (block + 1) * columns; ++j)
        for (std::size_t r = 0; r < outputs; ++r) want[rows.at(j, r)] = 1;
    obs_exact(rows, rule, inverse);
    EXPECT_EQ(rows.gone, want) << pattern;
  }
}

TEST(ObsExact, StripsOfRowsWithDifferentZeros) {
  // Two rows of six columns in blocks 2x2; a zero of the first row makes the block with it cheapest.
  const std::int64_t n = 6;
  const std::vector<double> h = positive(n, 19);
  Tensor weight = random_tensor({2, n}, 20);
  auto values = weight.mutable_data<float>();
  for (float& w : values) w = w < 0 ? w - 1 : w + 1;
  values[2] = 0;
  values[3] = values[8] = values[9] = 0.01F;
  const PruneTarget target{"w", weight, matrix_view(2, n)};
  PruneRule rule;
  rule.pattern = ir::SparsityPattern::parse("2x2");
  rule.sparsity = 1.0 / 3;
  ObsRows rows(target, true, 0, 2);
  obs_exact(rows, rule, inverse_of_positive(h, n));
  for (std::size_t j = 0; j < 6; ++j)
    for (std::size_t r = 0; r < 2; ++r) EXPECT_EQ(rows.gone[rows.at(j, r)] != 0, j / 2 == 1) << j;
}

TEST(ObsSweep, BlocksCostWhatTheirWeightsCostTogether) {
  // One segment: the cheapest block by the error of all columns from it on, those before it left as they are.
  const std::int64_t n = 12;
  const std::vector<double> h = positive(n, 23), u = cholesky_of_inverse(h, n);
  for (const char* pattern : {"1x4", "1x3", "2x2"}) {
    PruneRule rule;
    rule.pattern = ir::SparsityPattern::parse(pattern);
    const auto tall = static_cast<std::int64_t>(rule.pattern.block_outputs);
    const auto wide = static_cast<std::size_t>(rule.pattern.block_inputs);
    rule.sparsity = static_cast<double>(wide) / 12;  // one block
    const PruneTarget target{"w", random_tensor({tall, n}, 24), matrix_view(tall, n)};
    ObsRows rows(target, true, 0, tall);
    std::pair<double, std::size_t> least = {1e30, 0};
    for (std::size_t begin = 0; begin < 12; begin += wide) {
      const std::size_t size = 12 - begin;
      std::vector<double> part(size * size);
      // The Hessian whose inverse is that of the columns from `begin` on: the columns before it are fixed.
      for (std::size_t i = 0; i < size; ++i)
        for (std::size_t j = 0; j < size; ++j) part[i * size + j] = h[(begin + i) * 12 + begin + j];
      double error = 0;
      for (std::size_t r = 0; r < static_cast<std::size_t>(tall); ++r) {
        std::vector<double> weights;
        for (std::size_t j = begin; j < 12; ++j) weights.push_back(rows.weights[rows.at(j, r)]);
        std::vector<std::size_t> out(wide);
        std::iota(out.begin(), out.end(), std::size_t{0});
        error += error_without(weights, part, out);
      }
      least = std::min(least, {error, begin});
    }
    obs_sweep(rows, rule, 128, u, false);
    for (std::size_t j = 0; j < 12; ++j)
      EXPECT_EQ(rows.gone[rows.at(j, 0)] != 0, j / wide == least.second / wide) << pattern << " " << j;
  }
}

TEST(ObsSweep, BlocksWithZerosCostOnlyWhatIsLeft) {
  // Without correlations each weight costs w²: blocks 1x2 of 1, 4 + 0 (given) and 1 + 1.
  const std::vector<double> h = {1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
                                 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1};
  const PruneTarget target{"w", Tensor::from<float>({1, 6}, {0, 1.2F, 2, 0, 1, 1}), matrix_view(1, 6)};
  PruneRule rule;
  rule.pattern = ir::SparsityPattern::parse("1x2");
  rule.sparsity = 1.0 / 3;
  ObsRows rows(target, true, 0, 1);
  obs_sweep(rows, rule, 128, cholesky_of_inverse(h, 6), false);
  EXPECT_EQ(rows.gone, (std::vector<char>{1, 1, 0, 1, 0, 0})) << "1.44, 4 and 2";
}

TEST(ObsExact, SharesZerosAmongRowsAndKeepsPatterns) {
  const std::int64_t n = 72, outputs = 5;  // a group of 64 and a tail of 8
  const std::vector<double> h = positive(n, 8);
  Tensor weight = random_tensor({outputs, n}, 9);
  for (std::size_t i = 0; i < 72; ++i) weight.mutable_data<float>()[i] *= 10;  // the first row is dearest
  weight.mutable_data<float>()[3] = 0;
  const PruneTarget target{"w", weight, matrix_view(outputs, n)};
  PruneRule rule;
  rule.sparsity = 0.5;
  ObsRows rows(target, true, 0, outputs);
  obs_exact(rows, rule, inverse_of_positive(h, n));
  std::vector<int> gone(5, 0);
  for (std::size_t r = 0; r < 5; ++r)
    for (std::size_t j = 0; j < 72; ++j) gone[r] += rows.gone[rows.at(j, r)];
  EXPECT_EQ(std::accumulate(gone.begin(), gone.end(), 0), 180);
  EXPECT_LT(gone[0], *std::min_element(gone.begin() + 1, gone.end()));
  EXPECT_TRUE(rows.gone[rows.at(3, 0)]);
  rule.pattern = ir::SparsityPattern::parse("8:64");
  const Tensor got = obs_prune(target, rule, h, 1, {.exact = 100});
  EXPECT_TRUE(ir::has_pattern(got, target.view, rule.pattern));
}

TEST(ObsExact, DisturbsTheOutputLessThanTheSweep) {
  const std::int64_t n = 60, outputs = 8;
  const std::vector<double> h = positive(n, 10);
  const PruneTarget target{"w", random_tensor({outputs, n}, 11), matrix_view(outputs, n)};
  const auto error = [&](const Tensor& v) {
    double sum = 0;
    const auto x = v.data<float>(), w = target.weight.data<float>();
    for (std::size_t r = 0; r < 8; ++r)
      for (std::size_t i = 0; i < 60; ++i)
        for (std::size_t j = 0; j < 60; ++j)
          sum += static_cast<double>(x[r * 60 + i] - w[r * 60 + i]) * h[i * 60 + j] *
                 static_cast<double>(x[r * 60 + j] - w[r * 60 + j]);
    return sum;
  };
  PruneRule rule;
  rule.sparsity = 0.7;
  EXPECT_LT(error(obs_prune(target, rule, h, 1, {.damping = 1e-9, .exact = 100})),
            error(obs_prune(target, rule, h, 1, {.damping = 1e-9})));
}

}  // namespace
}  // namespace pare::compress
