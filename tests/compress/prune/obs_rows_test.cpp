#include "compress/prune/obs_rows.h"

#include <gtest/gtest.h>

#include "../fakes.h"
#include "base/linear_algebra.h"

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

}  // namespace
}  // namespace pare::compress
