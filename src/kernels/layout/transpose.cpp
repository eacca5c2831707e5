// Transposes: small square blocks, so that both sides stay in cache.
#include <algorithm>
#include <functional>

#include "base/threads.h"
#include "kernels/layout/elements.h"
#include "kernels/layout/layout.h"
#include "kernels/layout/strided.h"
#include "kernels/window.h"

namespace pare::kernels {
namespace {

constexpr std::int64_t kBlock = 32;

template <class T>
void transpose_block(const T* in, std::int64_t rows, std::int64_t columns, std::int64_t r0, std::int64_t c0,
                     T* out) noexcept {
  const std::int64_t r1 = std::min(r0 + kBlock, rows), c1 = std::min(c0 + kBlock, columns);
  for (std::int64_t c = c0; c < c1; ++c) {
    for (std::int64_t r = r0; r < r1; ++r) out[c * rows + r] = in[r * columns + c];
  }
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
