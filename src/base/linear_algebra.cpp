#include "base/linear_algebra.h"

#include <cblas.h>
#include <lapacke.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/threads.h"
#include "pare/error.h"

namespace pare {
namespace {

void require_product(std::size_t a, std::size_t b, std::size_t product, std::int64_t rows, std::int64_t inner,
                     std::int64_t columns) {
  if (a != static_cast<std::size_t>(rows * inner) || b != static_cast<std::size_t>(inner * columns) ||
      product != static_cast<std::size_t>(rows * columns))
    throw Error(ErrorCode::kInternal, "matrix product", "the matrices do not have the sizes they are said to have");
}

}  // namespace

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
  constexpr std::size_t kBand = 256;
  std::vector<float> band(std::min(kBand, n) * n);
  const auto size = static_cast<int>(columns);
  for (std::size_t first = 0; first < n; first += kBand) {
    const std::size_t width = std::min(kBand, n - first), rest = n - first;
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, static_cast<int>(width), static_cast<int>(rest),
                static_cast<int>(rows), 1, &matrix[first], size, &matrix[first], size, 0, band.data(),
                static_cast<int>(rest));
    parallel_for(static_cast<std::int64_t>(width), 32, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
        const float* from = &band[i * rest];
        double* to = &gram[(first + i) * n + first];
        for (std::size_t j = i; j < rest; ++j) to[j] += static_cast<double>(from[j]);
      }
    });
  }
}

void mirror_upper(std::span<double> matrix, std::int64_t n) {
  constexpr std::size_t kTile = 64;  // both sides of a tile stay in the cache
  const auto size = static_cast<std::size_t>(n);
  for (std::size_t top = 0; top < size; top += kTile)
    for (std::size_t left = 0; left <= top; left += kTile)
      for (std::size_t i = top; i < std::min(top + kTile, size); ++i)
        for (std::size_t j = left; j < std::min(left + kTile, i); ++j) matrix[i * size + j] = matrix[j * size + i];
}

void subtract_product(const double* a, std::int64_t lda, const double* b, std::int64_t ldb, double* c, std::int64_t ldc,
                      std::int64_t m, std::int64_t n, std::int64_t k) {
  if (m == 0 || n == 0 || k == 0) return;
  const auto i = [](std::int64_t x) { return static_cast<int>(x); };
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, i(m), i(n), i(k), -1, a, i(lda), b, i(ldb), 1, c, i(ldc));
}

void multiply(std::span<const float> a, std::span<const float> b, std::int64_t rows, std::int64_t inner,
              std::int64_t columns, std::span<float> product) {
  require_product(a.size(), b.size(), product.size(), rows, inner, columns);
  const auto n = static_cast<int>(columns), k = static_cast<int>(inner);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(rows), n, k, 1, a.data(), k, b.data(), n, 0,
              product.data(), n);
}

void multiply(std::span<const double> a, std::span<const double> b, std::int64_t rows, std::int64_t inner,
              std::int64_t columns, std::span<double> product) {
  require_product(a.size(), b.size(), product.size(), rows, inner, columns);
  const auto n = static_cast<int>(columns), k = static_cast<int>(inner);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(rows), n, k, 1, a.data(), k, b.data(), n, 0,
              product.data(), n);
}

std::optional<std::vector<double>> try_cholesky_of_inverse(std::vector<double> matrix, std::int64_t n) {
  const auto size = static_cast<lapack_int>(n);
  const auto at = static_cast<std::size_t>(n);
  // A row-major upper triangle is a column-major lower one: with 'L' LAPACK's A⁻¹ = L·Lᵀ is our Uᵀ·U, untransposed.
  if (LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', size, matrix.data(), size) != 0 ||
      LAPACKE_dpotri(LAPACK_COL_MAJOR, 'L', size, matrix.data(), size) != 0 ||
      LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', size, matrix.data(), size) != 0)
    return std::nullopt;
  for (std::size_t row = 1; row < at; ++row)
    std::fill_n(matrix.begin() + static_cast<std::ptrdiff_t>(row * at), row, 0.0);
  return matrix;
}

std::vector<double> cholesky_of_inverse(std::vector<double> matrix, std::int64_t n) {
  auto found = try_cholesky_of_inverse(std::move(matrix), n);
  if (!found) throw Error(ErrorCode::kBadInput, "Cholesky", "the matrix is not positive definite");
  return std::move(*found);
}

std::optional<std::vector<double>> try_solve_positive(std::vector<double> matrix, std::int64_t n,
                                                      std::vector<double> right, std::int64_t count) {
  if (static_cast<std::int64_t>(matrix.size()) != n * n || static_cast<std::int64_t>(right.size()) != n * count)
    throw Error(ErrorCode::kInternal, "linear system", "the matrices do not have the sizes they are said to have");
  const auto size = static_cast<lapack_int>(n);
  if (n > 0 && LAPACKE_dposv(LAPACK_COL_MAJOR, 'L', size, static_cast<lapack_int>(count), matrix.data(), size,
                             right.data(), size) != 0)
    return std::nullopt;
  return right;
}

std::vector<double> solve_positive(std::vector<double> matrix, std::int64_t n, std::vector<double> right,
                                   std::int64_t count) {
  auto found = try_solve_positive(std::move(matrix), n, std::move(right), count);
  if (!found) throw Error(ErrorCode::kBadInput, "linear system", "the matrix is not positive definite");
  return std::move(*found);
}

void solve_positive_in_place(std::span<double> matrix, std::int64_t n, std::span<double> right, std::int64_t count) {
  if (static_cast<std::int64_t>(matrix.size()) != n * n || static_cast<std::int64_t>(right.size()) != n * count)
    throw Error(ErrorCode::kInternal, "linear system", "the matrices do not have the sizes they are said to have");
  const auto size = static_cast<lapack_int>(n);
  if (n > 0 && LAPACKE_dposv_work(LAPACK_COL_MAJOR, 'L', size, static_cast<lapack_int>(count), matrix.data(), size,
                                  right.data(), size) != 0)
    throw Error(ErrorCode::kBadInput, "linear system", "the matrix is not positive definite");
}

bool solve_positive_refined(std::span<const double> matrix, std::int64_t n, std::span<float> factor,
                            std::span<double> right) {
  const auto at = static_cast<std::size_t>(n);
  if (matrix.size() != at * at || factor.size() != at * at || right.size() != at)
    throw Error(ErrorCode::kInternal, "linear system", "the matrices do not have the sizes they are said to have");
  if (n == 0) return true;
  const auto size = static_cast<lapack_int>(n);
  for (std::size_t i = 0; i < at; ++i)
    for (std::size_t j = i; j < at; ++j) factor[i * at + j] = static_cast<float>(matrix[i * at + j]);
  if (LAPACKE_spotrf_work(LAPACK_COL_MAJOR, 'L', size, factor.data(), size) != 0) return false;
  const auto largest = [](std::span<const double> x) {
    double most = 0;
    for (double value : x) most = std::max(most, std::fabs(value));
    return most;
  };
  const double wanted = 1e-11 * largest(right);
  std::vector<double> x(at, 0.0), rest(right.begin(), right.end());
  std::vector<float> step(at);
  for (double left = largest(rest); left > wanted;) {
    for (std::size_t i = 0; i < at; ++i) step[i] = static_cast<float>(rest[i] / left);
    if (LAPACKE_spotrs_work(LAPACK_COL_MAJOR, 'L', size, 1, factor.data(), size, step.data(), size) != 0) return false;
    for (std::size_t i = 0; i < at; ++i) x[i] += left * static_cast<double>(step[i]);
    std::copy(right.begin(), right.end(), rest.begin());
    cblas_dsymv(CblasRowMajor, CblasUpper, static_cast<int>(n), -1, matrix.data(), static_cast<int>(n), x.data(), 1, 1,
                rest.data(), 1);
    const double now = largest(rest);
    if (!(now < left / 4)) return false;  // slower than a factor in double, or not at all
    left = now;
  }
  std::copy(x.begin(), x.end(), right.begin());
  return true;
}

std::vector<double> inverse_of_positive(std::vector<double> matrix, std::int64_t n) {
  const auto size = static_cast<lapack_int>(n);
  if (LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', size, matrix.data(), size) != 0 ||
      LAPACKE_dpotri(LAPACK_COL_MAJOR, 'L', size, matrix.data(), size) != 0)
    throw Error(ErrorCode::kBadInput, "inverse", "the matrix is not positive definite");
  mirror_upper(matrix, n);  // LAPACK's lower half, by columns, is our upper one
  return matrix;
}

}  // namespace pare
