// Matrix products of the reference, shared by Gemm and MatMul.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

namespace pare::ir::ops {

/// A matrix view: element (r, c) at data[r·row + c·column].
template <class T>
struct MatrixView {
  const T* data;
  std::int64_t row, column;
};

/// One row of a·b over the inner size k, added to `out` (n entries) in the order of k.
template <class T, class Sum>
void multiply_row(MatrixView<T> a, std::int64_t r, MatrixView<T> b, std::int64_t k, std::vector<Sum>& out) {
  const auto n = static_cast<std::int64_t>(out.size());
  if (b.column != 1) {  // b is transposed: walk its rows
    for (std::int64_t c = 0; c < n; ++c) {
      Sum sum = 0;
      for (std::int64_t i = 0; i < k; ++i) {
        sum += static_cast<Sum>(a.data[r * a.row + i * a.column]) * static_cast<Sum>(b.data[i * b.row + c * b.column]);
      }
      out[static_cast<std::size_t>(c)] += sum;
    }
    return;
  }
  for (std::int64_t i = 0; i < k; ++i) {
    const Sum left = static_cast<Sum>(a.data[r * a.row + i * a.column]);
    const T* right = b.data + i * b.row;
    for (std::int64_t c = 0; c < n; ++c) out[static_cast<std::size_t>(c)] += left * static_cast<Sum>(right[c]);
  }
}

/// Sums of floats in double, of integers modulo 2^64.
template <class T>
using SumOf = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;

}  // namespace pare::ir::ops
