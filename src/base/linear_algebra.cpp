#include "base/linear_algebra.h"

#include <cblas.h>
#include <lapacke.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "pare/error.h"

namespace pare {

Svd singular_values(std::span<const float> matrix, std::int64_t rows, std::int64_t columns) {
  if (rows <= 0 || columns <= 0 || static_cast<std::int64_t>(matrix.size()) != rows * columns ||
      std::max(rows, columns) > std::numeric_limits<lapack_int>::max())
    throw Error(ErrorCode::kInternal, "singular values", "the matrix does not have the size it is said to have",
                std::to_string(rows) + "x" + std::to_string(columns), std::to_string(matrix.size()) + " elements");
  if (!std::all_of(matrix.begin(), matrix.end(), [](float x) { return std::isfinite(x); }))
    throw Error(ErrorCode::kBadInput, "singular values", "the matrix holds values that are not finite");
  const std::int64_t rank = std::min(rows, columns);
  Svd svd{rows, columns, rank, {}, {}, {}};
  svd.u.resize(static_cast<std::size_t>(rows * rank));
  svd.s.resize(static_cast<std::size_t>(rank));
  svd.vt.resize(static_cast<std::size_t>(rank * columns));
  // Row-major A is column-major Aᵀ = V · diag(s) · Uᵀ: U and Vᵀ change places, and nothing is transposed.
  std::vector<float> work(matrix.begin(), matrix.end());
  const lapack_int failed =
      LAPACKE_sgesdd(LAPACK_COL_MAJOR, 'S', static_cast<lapack_int>(columns), static_cast<lapack_int>(rows),
                     work.data(), static_cast<lapack_int>(columns), svd.s.data(), svd.vt.data(),
                     static_cast<lapack_int>(columns), svd.u.data(), static_cast<lapack_int>(rank));
  if (failed != 0)
    throw Error(ErrorCode::kInternal, "singular values", "LAPACK's sgesdd did not converge", "0",
                std::to_string(failed));
  return svd;
}

void add_gram(std::span<const float> matrix, std::int64_t rows, std::int64_t columns, std::span<double> gram) {
  const auto n = static_cast<std::size_t>(columns);
  if (static_cast<std::int64_t>(matrix.size()) != rows * columns || gram.size() != n * n)
    throw Error(ErrorCode::kInternal, "Gram matrix", "the matrices do not have the sizes they are said to have");
  std::vector<float> upper(n * n);
  const auto size = static_cast<int>(columns);
  cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, size, static_cast<int>(rows), 1, matrix.data(), size, 0,
              upper.data(), size);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i; j < n; ++j) {
      gram[i * n + j] += static_cast<double>(upper[i * n + j]);
      if (j > i) gram[j * n + i] += static_cast<double>(upper[i * n + j]);
    }
}

std::vector<double> cholesky_of_inverse(std::vector<double> matrix, std::int64_t n) {
  const auto size = static_cast<lapack_int>(n);
  const auto at = static_cast<std::size_t>(n);
  // A row-major upper triangle is a column-major lower one: with 'L' LAPACK's A⁻¹ = L·Lᵀ is our Uᵀ·U, untransposed.
  if (LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', size, matrix.data(), size) != 0 ||
      LAPACKE_dpotri(LAPACK_COL_MAJOR, 'L', size, matrix.data(), size) != 0 ||
      LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', size, matrix.data(), size) != 0)
    throw Error(ErrorCode::kBadInput, "Cholesky", "the matrix is not positive definite");
  for (std::size_t row = 1; row < at; ++row)
    std::fill_n(matrix.begin() + static_cast<std::ptrdiff_t>(row * at), row, 0.0);
  return matrix;
}

std::vector<double> solve_positive(std::vector<double> matrix, std::int64_t n, std::vector<double> right,
                                   std::int64_t count) {
  if (static_cast<std::int64_t>(matrix.size()) != n * n || static_cast<std::int64_t>(right.size()) != n * count)
    throw Error(ErrorCode::kInternal, "linear system", "the matrices do not have the sizes they are said to have");
  const auto size = static_cast<lapack_int>(n);
  if (n > 0 && LAPACKE_dposv(LAPACK_COL_MAJOR, 'L', size, static_cast<lapack_int>(count), matrix.data(), size,
                             right.data(), size) != 0)
    throw Error(ErrorCode::kBadInput, "linear system", "the matrix is not positive definite");
  return right;
}

}  // namespace pare
