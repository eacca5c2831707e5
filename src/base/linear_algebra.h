// Dense linear algebra on float matrices, by LAPACK.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace pare {

/// A = U · diag(s) · Vᵀ with k = min(rows, columns): U [rows, k] and Vᵀ [k, columns] row-major with orthonormal columns
/// and rows, s in descending order.
struct Svd {
  std::int64_t rows = 0, columns = 0, rank = 0;
  std::vector<float> u, s, vt;
};

/// The thin singular value decomposition of a row-major [rows, columns] matrix (LAPACK's divide and conquer, sgesdd).
/// Error(kBadInput) for elements that are not finite, Error(kInternal) when the iteration does not converge.
Svd singular_values(std::span<const float> matrix, std::int64_t rows, std::int64_t columns);

/// Upper half of gram += Xᵀ · X for row-major X [rows, columns]: sgemm on bands of rows of gram, which stay in the cache
/// until they are added in double. gram [columns, columns]; its lower half is left as it is (mirror_upper).
void add_gram(std::span<const float> matrix, std::int64_t rows, std::int64_t columns, std::span<double> gram);

/// Copies the upper half of a square matrix over the lower one.
void mirror_upper(std::span<double> matrix, std::int64_t n);

/// C −= Aᵀ · B for row-major A [k, m], B [k, n] and C [m, n] with rows `lda`, `ldb` and `ldc` elements apart (dgemm).
void subtract_product(const double* a, std::int64_t lda, const double* b, std::int64_t ldb, double* c, std::int64_t ldc,
                      std::int64_t m, std::int64_t n, std::int64_t k);

/// product = A · B for row-major A [rows, inner] and B [inner, columns] (gemm).
void multiply(std::span<const float> a, std::span<const float> b, std::int64_t rows, std::int64_t inner,
              std::int64_t columns, std::span<float> product);
void multiply(std::span<const double> a, std::span<const double> b, std::int64_t rows, std::int64_t inner,
              std::int64_t columns, std::span<double> product);

/// U, row-major and upper triangular (zeros below), of A⁻¹ = Uᵀ · U for a symmetric positive definite A [n, n] (dpotrf,
/// dpotri, dpotrf). Error(kBadInput) where A is not.
std::vector<double> cholesky_of_inverse(std::vector<double> matrix, std::int64_t n);
/// The same, or nothing where the matrix is not.
std::optional<std::vector<double>> try_cholesky_of_inverse(std::vector<double> matrix, std::int64_t n);

/// X of A · X = B for a symmetric positive definite A [n, n]; `right`: the columns of B one after the other [count, n],
/// and so is the result (dposv). Error(kBadInput) where A is not.
std::vector<double> solve_positive(std::vector<double> matrix, std::int64_t n, std::vector<double> right,
                                   std::int64_t count);
/// The same, or nothing where A is not.
std::optional<std::vector<double>> try_solve_positive(std::vector<double> matrix, std::int64_t n,
                                                      std::vector<double> right, std::int64_t count);

/// The same in place, without checks for what is not finite: `matrix` need only hold the upper half (row-major), and is
/// overwritten; `right` becomes X.
void solve_positive_in_place(std::span<double> matrix, std::int64_t n, std::span<double> right, std::int64_t count);

/// The same in half the time of a large system: by a factor in float (spotrf) and corrections by residuals in double,
/// until the largest residual is below 1e-11 of the largest element of B, one column [n]. `matrix` (upper half) stays;
/// `factor`: n² floats to work in. False, with `right` as it was, where float does not do, as the matrix is too
/// ill-conditioned.
bool solve_positive_refined(std::span<const double> matrix, std::int64_t n, std::span<float> factor,
                            std::span<double> right);

/// A⁻¹ of a symmetric positive definite A [n, n], both halves (dpotrf, dpotri). Error(kBadInput) where A is not.
std::vector<double> inverse_of_positive(std::vector<double> matrix, std::int64_t n);

}  // namespace pare
