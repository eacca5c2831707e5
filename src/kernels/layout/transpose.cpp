// Transposes: small square blocks, so that both sides stay in cache, and of 32-bit elements squares in registers.
#include <algorithm>
#include <cstring>
#include <functional>
#include <type_traits>

#include "base/threads.h"
#include "kernels/layout/elements.h"
#include "kernels/layout/layout.h"
#include "kernels/layout/strided.h"
#include "kernels/window.h"

namespace pare::kernels {
namespace {

constexpr std::int64_t kBlock = 32;

/// A square of elements that registers hold: columns [c, c + 4) of rows [r, r + 4).
constexpr std::int64_t kSquare = 4;

using Words [[gnu::vector_size(16)]] = std::uint32_t;

/// Four words of each of four rows, transposed: whole vectors read and written instead of a word at a time.
void transpose_square(const std::uint32_t* in, std::int64_t in_stride, std::uint32_t* out,
                      std::int64_t out_stride) noexcept {
  Words row[kSquare];
  for (std::int64_t r = 0; r < kSquare; ++r) std::memcpy(&row[r], in + r * in_stride, sizeof(Words));
  const Words low01 = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5);
  const Words high01 = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);
  const Words low23 = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
  const Words high23 = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
  const Words column[kSquare] = {
      __builtin_shufflevector(low01, low23, 0, 1, 4, 5), __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
      __builtin_shufflevector(high01, high23, 0, 1, 4, 5), __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
  for (std::int64_t c = 0; c < kSquare; ++c) std::memcpy(out + c * out_stride, &column[c], sizeof(Words));
}

template <class T>
void transpose_block(const T* in, std::int64_t rows, std::int64_t columns, std::int64_t r0, std::int64_t c0,
                     T* out) noexcept {
  const std::int64_t r1 = std::min(r0 + kBlock, rows), c1 = std::min(c0 + kBlock, columns);
  std::int64_t r_squares = r0, c_squares = c0;  // where the squares end
  if constexpr (std::is_same_v<T, std::uint32_t>) {
    r_squares = r1 - (r1 - r0) % kSquare, c_squares = c1 - (c1 - c0) % kSquare;
    for (std::int64_t c = c0; c < c_squares; c += kSquare)
      for (std::int64_t r = r0; r < r_squares; r += kSquare)
        transpose_square(in + r * columns + c, columns, out + c * rows + r, rows);
  }
  for (std::int64_t c = c0; c < c1; ++c)
    for (std::int64_t r = c < c_squares ? r_squares : r0; r < r1; ++r) out[c * rows + r] = in[r * columns + c];
}

/// So few rows (the channels of an image) that a number known to the compiler gives whole vectors.
template <int kRows, class T>
void interleave(const T* in, std::int64_t columns, std::int64_t begin, std::int64_t end, T* __restrict out) noexcept {
  for (std::int64_t c = begin; c < end; ++c)
    for (int r = 0; r < kRows; ++r) out[c * kRows + r] = in[r * columns + c];
}

/// Of bytes, 16 columns at a time: two rows are shuffled into each part of the result, then the third.
template <>
void interleave<3>(const std::uint8_t* in, std::int64_t columns, std::int64_t begin, std::int64_t end,
                   std::uint8_t* __restrict out) noexcept {
  using Bytes [[gnu::vector_size(16)]] = std::uint8_t;
  std::int64_t c = begin;
  for (; c + 16 <= end; c += 16) {
    Bytes a, b, d;
    std::memcpy(&a, in + c, 16), std::memcpy(&b, in + columns + c, 16), std::memcpy(&d, in + 2 * columns + c, 16);
    const Bytes two[3] = {
        __builtin_shufflevector(a, b, 0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20, 0, 5),
        __builtin_shufflevector(a, b, 21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0, 10, 26),
        __builtin_shufflevector(a, b, 0, 11, 27, 0, 12, 28, 0, 13, 29, 0, 14, 30, 0, 15, 31, 0)};
    const Bytes all[3] = {
        __builtin_shufflevector(two[0], d, 0, 1, 16, 3, 4, 17, 6, 7, 18, 9, 10, 19, 12, 13, 20, 15),
        __builtin_shufflevector(two[1], d, 0, 21, 2, 3, 22, 5, 6, 23, 8, 9, 24, 11, 12, 25, 14, 15),
        __builtin_shufflevector(two[2], d, 26, 1, 2, 27, 4, 5, 28, 7, 8, 29, 10, 11, 30, 13, 14, 31)};
    std::memcpy(out + 3 * c, all, 48);
  }
  for (; c < end; ++c)
    for (int r = 0; r < 3; ++r) out[c * 3 + r] = in[r * columns + c];
}

template <class T>
void transpose2d_as(std::int64_t batch, std::int64_t rows, std::int64_t columns, const T* in, T* out) noexcept {
  const std::int64_t strip = rows == 3 ? 16 * kBlock : kBlock, strips = (columns + strip - 1) / strip;
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t unit = begin; unit < end; ++unit) {
      const std::int64_t offset = unit / strips * rows * columns;
      if (rows == 3) {
        const std::int64_t first = unit % strips * strip;
        interleave<3>(in + offset, columns, first, std::min(first + strip, columns), out + offset);
        continue;
      }
      for (std::int64_t r = 0; r < rows; r += kBlock)
        transpose_block(in + offset, rows, columns, r, unit % strips * kBlock, out + offset);
    }
  };
  parallel_for(batch * strips, std::max<std::int64_t>(1, kGrainOperations / std::max<std::int64_t>(1, rows * strip)),
               std::ref(body));
}

/// Axes in the order of the output; neighbours that stay neighbours joined, axes of size 1 left out.
struct Order {
  int rank = 0;
  std::int64_t dims[kMaxRank], strides[kMaxRank];
};

Order order_of(int rank, const std::int64_t* in_dims, const std::int64_t* perm) noexcept {
  std::int64_t in_strides[kMaxRank], stride = 1;
  for (int i = rank - 1; i >= 0; --i) in_strides[i] = stride, stride *= in_dims[i];
  Order order;
  for (int i = 0; i < rank; ++i) {
    const std::int64_t dim = in_dims[perm[i]], step = in_strides[perm[i]];
    if (dim == 1) continue;
    if (order.rank > 0 && order.strides[order.rank - 1] == dim * step) {
      order.dims[order.rank - 1] *= dim, order.strides[order.rank - 1] = step;
    } else {
      order.dims[order.rank] = dim, order.strides[order.rank++] = step;
    }
  }
  return order;
}

}  // namespace

void transpose2d(std::int64_t element, std::int64_t batch, std::int64_t rows, std::int64_t columns, const void* in,
                 void* out) noexcept {
  with_element(element, [&](auto zero) {
    using T = decltype(zero);
    transpose2d_as(batch, rows, columns, static_cast<const T*>(in), static_cast<T*>(out));
  });
}

void transpose(std::int64_t element, int rank, const std::int64_t* in_dims, const std::int64_t* perm, const void* in,
               void* out) noexcept {
  const Order order = order_of(rank, in_dims, perm);
  const int n = order.rank;
  const bool swaps_last_two =
      (n == 2 || (n == 3 && order.strides[0] == order.dims[1] * order.dims[2])) && order.strides[n - 1] != 1;
  if (swaps_last_two && order.strides[n - 2] == 1 && order.strides[n - 1] == order.dims[n - 2]) {
    transpose2d(element, n == 3 ? order.dims[0] : 1, order.dims[n - 1], order.dims[n - 2], in, out);
    return;
  }
  copy_strided(element, n, order.dims, order.strides, in, out);
}

}  // namespace pare::kernels
