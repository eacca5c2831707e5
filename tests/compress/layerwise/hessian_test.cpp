#include "compress/layerwise/hessian.h"

#include <gtest/gtest.h>

#include "pare/error.h"

namespace pare::compress {
namespace {

/// (1 + low)·I + 1·1ᵀ: one eigenvalue of n + 1 + low, all others 1 + low.
std::vector<double> near_constant(std::size_t n, double low) {
  std::vector<double> matrix(n * n, 1.0);
  for (std::size_t i = 0; i < n; ++i) matrix[i * n + i] += low;
  return matrix;
}

TEST(DampedInverseFactor, RaisesTheDampingUntilThereIsAFactor) {
  constexpr std::size_t n = 6;
  const std::vector<double> h = near_constant(n, -0.05);  // as rounding leaves them
  double damping = 0.01;
  const std::vector<std::size_t> order{3, 1, 0, 5, 4, 2};
  const std::vector<double> u = damped_inverse_factor(h, n, damping, order);
  EXPECT_DOUBLE_EQ(damping, 0.1);
  const std::vector<double> damped = damped_hessian(h, n, damping);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      double product = 0;  // of the damped H, reordered, and UᵀU
      for (std::size_t k = 0; k < n; ++k)
        for (std::size_t m = 0; m <= std::min(k, j); ++m)
          product += damped[order[i] * n + order[k]] * u[m * n + k] * u[m * n + j];
      EXPECT_NEAR(product, i == j ? 1.0 : 0.0, 1e-9);
    }
}

TEST(DampedInverseFactor, LeavesTheDampingOfWhatIsPositiveAndRefusesWhatIsNot) {
  double damping = 0.01;
  damped_inverse_factor(near_constant(4, 0.5), 4, damping);
  EXPECT_DOUBLE_EQ(damping, 0.01);
  EXPECT_THROW(damped_inverse_factor(near_constant(4, -40), 4, damping), Error);
}

}  // namespace
}  // namespace pare::compress
