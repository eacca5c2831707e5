#include "base/linear_algebra.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "pare/error.h"

namespace pare {
namespace {

std::vector<float> random_matrix(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  Rng rng(seed, kRngTest);
  std::vector<float> out(static_cast<std::size_t>(rows * columns));
  for (float& x : out) x = static_cast<float>(rng.normal());
  return out;
}

TEST(Gram, AddsProductsOfColumns) {
  for (const std::size_t n : {std::size_t{3}, std::size_t{300}}) {  // within one band, and over two
    const auto columns = static_cast<std::int64_t>(n);
    const std::vector<float> x = random_matrix(5, columns, 8);
    std::vector<double> gram(n * n, 1.0);
    add_gram(x, 5, columns, gram);
    for (std::size_t i = 1; i < n; ++i) EXPECT_EQ(gram[i * n + i - 1], 1) << "the lower half is left alone";
    mirror_upper(gram, columns);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        double sum = 1;
        for (std::size_t r = 0; r < 5; ++r)
          sum += static_cast<double>(x[r * n + i]) * static_cast<double>(x[r * n + j]);
        EXPECT_NEAR(gram[i * n + j], sum, 1e-5);
      }
  }
}

TEST(SubtractProduct, OfPartsOfMatrices) {
  const std::vector<double> a = {1, 2, 9, 3, 4, 9}, b = {5, 6, 7, 8};  // a: [2, 2] of rows of 3
  std::vector<double> c = {100, 100, 0, 100, 100, 0};                  // [2, 2] of rows of 3
  subtract_product(a.data(), 3, b.data(), 2, c.data(), 3, 2, 2, 2);
  EXPECT_EQ(c, (std::vector<double>{100 - 26, 100 - 30, 0, 100 - 38, 100 - 44, 0}));  // aᵀ·b
}

TEST(Cholesky, OfTheInverseByProducts) {
  constexpr std::size_t n = 9;
  const std::vector<float> x = random_matrix(30, n, 4);
  std::vector<double> a(n * n, 0.0);
  for (std::size_t s = 0; s < 30; ++s)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        a[i * n + j] += static_cast<double>(x[s * n + i]) * static_cast<double>(x[s * n + j]);
  const std::vector<double> u = cholesky_of_inverse(a, n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      if (j < i) EXPECT_EQ(u[i * n + j], 0);
      double sum = 0;  // A · Uᵀ · U = I
      for (std::size_t k = 0; k < n; ++k)
        for (std::size_t l = 0; l < n; ++l) sum += a[i * n + k] * u[l * n + k] * u[l * n + j];
      EXPECT_NEAR(sum, i == j, 1e-9);
    }
  a[0] = -1;
  EXPECT_THROW(cholesky_of_inverse(a, n), Error);
}

TEST(SolvePositive, ByHandAndRefused) {
  const std::vector<double> x = solve_positive({4, 1, 1, 3}, 2, {1, 2, 4, 1}, 2);  // determinant 11
  EXPECT_NEAR(x[0], 1.0 / 11, 1e-12);
  EXPECT_NEAR(x[1], 7.0 / 11, 1e-12);
  EXPECT_NEAR(x[2], 1, 1e-12);
  EXPECT_NEAR(x[3], 0, 1e-12);
  EXPECT_TRUE(solve_positive({}, 0, {}, 1).empty());
  std::vector<double> upper = {4, 1, 99, 3}, right = {1, 2, 4, 1};
  solve_positive_in_place(upper, 2, right, 2);  // the lower half is not looked at
  for (std::size_t i = 0; i < 4; ++i) EXPECT_DOUBLE_EQ(right[i], x[i]);
  EXPECT_THROW(solve_positive({1, 2, 2, 1}, 2, {1, 1}, 1), Error);
}

TEST(InverseOfPositive, ByHandAndRefused) {
  const std::vector<double> x = inverse_of_positive({4, 1, 1, 3}, 2);
  const std::vector<double> wanted = {3.0 / 11, -1.0 / 11, -1.0 / 11, 4.0 / 11};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(x[i], wanted[i], 1e-15);
  EXPECT_THROW(inverse_of_positive({1, 2, 2, 1}, 2), Error);
}

/// Σ x xᵀ of 2n random x whose columns differ in size by up to `spread`.
std::vector<double> positive(std::size_t n, double spread) {
  const std::vector<float> x = random_matrix(static_cast<std::int64_t>(2 * n), static_cast<std::int64_t>(n), 6);
  std::vector<double> a(n * n, 0.0);
  const auto size = [&](std::size_t j) { return std::pow(spread, static_cast<double>(j) / static_cast<double>(n)); };
  for (std::size_t s = 0; s < 2 * n; ++s)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = i; j < n; ++j)
        a[i * n + j] += static_cast<double>(x[s * n + i]) * static_cast<double>(x[s * n + j]) * size(i) * size(j);
  return a;
}

TEST(SolvePositive, RefinementReachesWhatDoubleGives) {
  constexpr std::size_t n = 120;
  const std::vector<double> a = positive(n, 10);  // the upper half
  std::vector<double> right(n);
  for (std::size_t i = 0; i < n; ++i) right[i] = std::sin(static_cast<double>(i));
  std::vector<double> refined = right, exact = right, scratch = a;
  std::vector<float> factor(n * n);
  ASSERT_TRUE(solve_positive_refined(a, n, factor, refined));
  solve_positive_in_place(scratch, n, exact, 1);
  for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(refined[i], exact[i], 1e-9 * std::fabs(exact[i]) + 1e-10);
}

TEST(SolvePositive, RefinementGivesUpWhereFloatDoesNotDo) {
  constexpr std::size_t n = 30;
  const std::vector<double> a = positive(n, 1e9);
  const std::vector<double> right(n, 1.0);
  std::vector<double> refined = right;
  std::vector<float> factor(n * n);
  if (!solve_positive_refined(a, n, factor, refined)) {
    EXPECT_EQ(refined, right);
  } else {
    std::vector<double> exact = right, scratch = a;
    solve_positive_in_place(scratch, n, exact, 1);
    for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(refined[i], exact[i], 1e-6 * std::fabs(exact[i]));
  }
  std::vector<double> indefinite = {1, 2, 0, 1}, b = {1, 1};
  std::vector<float> four(4);
  EXPECT_FALSE(solve_positive_refined(indefinite, 2, four, b));
  EXPECT_EQ(b, (std::vector<double>{1, 1}));
}

TEST(SingularValues, RebuildTheMatrix) {
  for (auto [rows, columns] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {3, 7}, {7, 3}, {40, 40}, {65, 130}}) {
    const std::vector<float> matrix = random_matrix(rows, columns, 1);
    const Svd svd = singular_values(matrix, rows, columns);
    ASSERT_EQ(svd.rank, std::min(rows, columns));
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c) {
        double sum = 0;
        for (std::int64_t k = 0; k < svd.rank; ++k)
          sum += static_cast<double>(svd.u[static_cast<std::size_t>(r * svd.rank + k)]) *
                 static_cast<double>(svd.s[static_cast<std::size_t>(k)]) *
                 static_cast<double>(svd.vt[static_cast<std::size_t>(k * columns + c)]);
        EXPECT_NEAR(sum, static_cast<double>(matrix[static_cast<std::size_t>(r * columns + c)]), 1e-4);
      }
    EXPECT_TRUE(std::is_sorted(svd.s.rbegin(), svd.s.rend()));
  }
}

TEST(SingularValues, ByHand) {
  const std::vector<float> matrix = {3, 0, 0, -4};
  const Svd svd = singular_values(matrix, 2, 2);
  EXPECT_FLOAT_EQ(svd.s[0], 4);
  EXPECT_FLOAT_EQ(svd.s[1], 3);
}

TEST(SingularValues, BadMatrices) {
  const std::vector<float> one = {NAN, 0};
  EXPECT_THROW(singular_values(one, 1, 2), Error);
  EXPECT_THROW(singular_values(one, 2, 2), Error);
}

}  // namespace
}  // namespace pare
