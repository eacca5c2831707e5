// Element access of the scalar reference: whole tensors as double or int64, strides, and type-blind moves of elements.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "pare/tensor.h"

namespace pare::ir::ops {

/// Elements of any numeric type as double.
std::vector<double> to_doubles(const Tensor& tensor);
/// The inverse, rounded to `dtype` through float for the 16-bit types, as ONNX's reference does; integers truncate.
Tensor from_doubles(DType dtype, Dims dims, std::span<const double> values);
/// Elements of an integer or bool tensor; uint64 keeps its bits.
std::vector<std::int64_t> to_ints(const Tensor& tensor);
/// The inverse; values wrap modulo 2^bits.
Tensor from_ints(DType dtype, Dims dims, std::span<const std::int64_t> values);

/// Elements of any numeric type, exactly (long double holds every 64-bit integer).
std::vector<long double> to_exact(const Tensor& tensor);

/// Row-major strides in elements.
Dims strides_of(const Dims& dims);
/// numpy broadcasting of concrete shapes; false when they do not broadcast.
bool broadcast_dims(const Dims& a, const Dims& b, Dims& out);
/// Strides that read `from` as if it had shape `to` (0 on broadcast axes).
Dims broadcast_strides(const Dims& from, const Dims& to);

/// Visits the linear index of a strided view for every position of `dims` in row-major order.
template <class F>
void for_each_strided(const Dims& dims, std::int64_t offset, const Dims& strides, F&& visit) {
  const std::int64_t count = element_count(dims);
  Dims position(dims.size(), 0);
  std::int64_t source = offset;
  for (std::int64_t i = 0; i < count; ++i) {
    visit(i, source);
    for (std::size_t axis = dims.size(); axis-- > 0;) {
      source += strides[axis];
      if (++position[axis] < dims[axis]) break;
      source -= strides[axis] * dims[axis];
      position[axis] = 0;
    }
  }
}

/// out[i] = source[offset + Σ position·stride], for every element type (strings and sub-byte types too).
Tensor strided(const Tensor& source, Dims dims, std::int64_t offset, const Dims& strides);

/// out[i] = sources[s][j] with (s, j) = where(i); all sources have one element type.
Tensor pick(std::span<const Tensor> sources, Dims dims,
            const std::function<std::pair<std::size_t, std::int64_t>(std::int64_t)>& where);

}  // namespace pare::ir::ops
