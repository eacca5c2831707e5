// Dense linear algebra on float matrices, by LAPACK.
#pragma once

#include <cstdint>
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

/// gram += Xᵀ · X for row-major X [rows, columns] (ssyrk on X, then added in double); gram [columns, columns], both halves.
void add_gram(std::span<const float> matrix, std::int64_t rows, std::int64_t columns, std::span<double> gram);

/// U, row-major and upper triangular (zeros below), of A⁻¹ = Uᵀ · U for a symmetric positive definite A [n, n] (dpotrf,
/// dpotri, dpotrf). Error(kBadInput) where A is not.
std::vector<double> cholesky_of_inverse(std::vector<double> matrix, std::int64_t n);

/// X of A · X = B for a symmetric positive definite A [n, n]; `right`: the columns of B one after the other [count, n],
/// and so is the result (dposv). Error(kBadInput) where A is not.
std::vector<double> solve_positive(std::vector<double> matrix, std::int64_t n, std::vector<double> right,
                                   std::int64_t count);

}  // namespace pare
