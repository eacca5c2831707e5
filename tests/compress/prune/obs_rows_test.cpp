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

/// Zeros of one row by brute force: at each step the weight whose removal, with the best of the others, costs least.
std::vector<std::size_t> greedy_literally(const std::vector<double>& weights, const std::vector<double>& h,
                                          std::size_t count) {
  const std::size_t n = weights.size();
  std::vector<std::size_t> gone;
  const auto error_without = [&](std::vector<std::size_t> out) {
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
  };
  while (gone.size() < count) {
    std::pair<double, std::size_t> least = {1e30, n};
    for (std::size_t j = 0; j < n; ++j) {
      if (std::find(gone.begin(), gone.end(), j) != gone.end()) continue;
      std::vector<std::size_t> out = gone;
      out.push_back(j);
      least = std::min(least, {error_without(out), j});
    }
    gone.push_back(least.second);
  }
  return gone;
}

TEST(ObsExact, OneRowLosesWhatBruteForceSays) {
  const std::int64_t n = 12;
  const std::vector<double> h = positive(n, 6);
  const PruneTarget target{"w", random_tensor({1, n}, 7), matrix_view(1, n)};
  PruneRule rule;
  rule.sparsity = 0.5;
  ObsRows rows(target, true, 0, 1);
  obs_exact(rows, rule, h);
  std::vector<char> want(12, 0);
  for (std::size_t j : greedy_literally(rows.weights, h, 6)) want[j] = 1;
  EXPECT_EQ(rows.gone, want);
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
  obs_exact(rows, rule, h);
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
