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

/// The three channels of an image, the rows of `in`, side by side: eight columns at a time from `c` to at most `end`.
/// Returns where it stopped.
std::int64_t interleave_three(const std::uint32_t* in, std::int64_t columns, std::int64_t c, std::int64_t end,
                              std::uint32_t* out) noexcept {
  using Eight [[gnu::vector_size(32)]] = std::uint32_t;
  for (; c + 8 <= end; c += 8) {
    Eight x, y, z;
    std::memcpy(&x, in + c, sizeof x);
    std::memcpy(&y, in + columns + c, sizeof y);
    std::memcpy(&z, in + 2 * columns + c, sizeof z);
    const Eight xy0 = __builtin_shufflevector(x, y, 0, 8, -1, 1, 9, -1, 2, 10),
                xy1 = __builtin_shufflevector(x, y, -1, 3, 11, -1, 4, 12, -1, 5),
                xy2 = __builtin_shufflevector(x, y, 13, -1, 6, 14, -1, 7, 15, -1);
    const Eight three[] = {__builtin_shufflevector(xy0, z, 0, 1, 8, 3, 4, 9, 6, 7),
                           __builtin_shufflevector(xy1, z, 10, 1, 2, 11, 4, 5, 12, 7),
                           __builtin_shufflevector(xy2, z, 0, 13, 2, 3, 14, 5, 6, 15)};
    std::memcpy(out + 3 * c, three, sizeof three);
  }
  return c;
}

template <class T>
void transpose_block(const T* in, std::int64_t rows, std::int64_t columns, std::int64_t r0, std::int64_t c0,
                     T* out) noexcept {
  const std::int64_t r1 = std::min(r0 + kBlock, rows), c1 = std::min(c0 + kBlock, columns);
  std::int64_t r_squares = r0, c_squares = c0;  // where the squares end
  if constexpr (std::is_same_v<T, std::uint32_t>) {
    if (rows == 3) c0 = interleave_three(in, columns, c0, c1, out);
    r_squares = r1 - (r1 - r0) % kSquare, c_squares = c1 - (c1 - c0) % kSquare;
    for (std::int64_t c = c0; c < c_squares; c += kSquare)
      for (std::int64_t r = r0; r < r_squares; r += kSquare)
        transpose_square(in + r * columns + c, columns, out + c * rows + r, rows);
  }
  for (std::int64_t c = c0; c < c1; ++c)
    for (std::int64_t r = c < c_squares ? r_squares : r0; r < r1; ++r) out[c * rows + r] = in[r * columns + c];
}

template <class T>
void transpose2d_as(std::int64_t batch, std::int64_t rows, std::int64_t columns, const T* in, T* out) noexcept {
  const std::int64_t strips = (columns + kBlock - 1) / kBlock;
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t unit = begin; unit < end; ++unit) {
      const std::int64_t offset = unit / strips * rows * columns;
      for (std::int64_t r = 0; r < rows; r += kBlock)
        transpose_block(in + offset, rows, columns, r, unit % strips * kBlock, out + offset);
    }
  };
  parallel_for(batch * strips, std::max<std::int64_t>(1, kGrainOperations / std::max<std::int64_t>(1, rows * kBlock)),
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
