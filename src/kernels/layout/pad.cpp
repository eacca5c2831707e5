// Padding: each output coordinate names its source coordinate, or none.
#include <algorithm>
#include <cstring>
#include <functional>

#include "base/threads.h"
#include "kernels/layout/elements.h"
#include "kernels/layout/layout.h"
#include "kernels/window.h"

namespace pare::kernels {
namespace {

/// Source of coordinate `i` (relative to the input, any integer) along an axis of `size`; −1 where the constant goes.
std::int64_t source(std::int64_t i, std::int64_t size, PadMode mode) noexcept {
  if (i >= 0 && i < size) return i;
  switch (mode) {
    case PadMode::kConstant:
      return -1;
    case PadMode::kEdge:
      return std::clamp<std::int64_t>(i, 0, size - 1);
    case PadMode::kWrap:
      return (i % size + size) % size;
    case PadMode::kReflect:
      break;
  }
  if (size == 1) return 0;
  const std::int64_t period = 2 * (size - 1), folded = (i % period + period) % period;
  return folded < size ? folded : period - folded;
}

struct Geometry {
  int rank;
  const std::int64_t *in_dims, *before, *out_dims;
  PadMode mode;

  /// Element offset of the input row that output row `row` (all axes but the last) reads, or −1 for none.
  std::int64_t input_row(std::int64_t row) const noexcept {
    std::int64_t at = 0, stride = rank > 0 ? in_dims[rank - 1] : 1;
    for (int axis = rank - 2; axis >= 0; --axis) {
      const std::int64_t from = source(row % out_dims[axis] - before[axis], in_dims[axis], mode);
      if (from < 0) return -1;
      at += from * stride, stride *= in_dims[axis], row /= out_dims[axis];
    }
    return at;
  }
};

template <class T>
void pad_row(const T* in, std::int64_t size, std::int64_t before, std::int64_t out_size, PadMode mode, T value,
             T* out) noexcept {
  const std::int64_t first = std::clamp<std::int64_t>(before, 0, out_size),
                     last = std::clamp<std::int64_t>(before + size, first, out_size);
  const auto fill = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t from = source(i - before, size, mode);
      out[i] = from < 0 ? value : in[from];
    }
  };
  fill(0, first);
  if (last > first) std::memcpy(out + first, in + first - before, (last - first) * sizeof(T));
  fill(last, out_size);
}

}  // namespace

void pad(std::int64_t element, int rank, const std::int64_t* in_dims, const std::int64_t* before,
         const std::int64_t* out_dims, PadMode mode, const void* value, const void* in, void* out) noexcept {
  const Geometry geometry{rank, in_dims, before, out_dims, mode};
  const std::int64_t out_inner = rank > 0 ? out_dims[rank - 1] : 1, in_inner = rank > 0 ? in_dims[rank - 1] : 1;
  std::int64_t outer = 1;
  for (int i = 0; i + 1 < rank; ++i) outer *= out_dims[i];
  if (outer * out_inner == 0) return;
  with_element(element, [&](auto zero) {
    using T = decltype(zero);
    T constant = 0;
    if (value) std::memcpy(&constant, value, sizeof constant);
    const auto body = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        T* target = static_cast<T*>(out) + row * out_inner;
        const std::int64_t at = geometry.input_row(row);
        if (at < 0)
          std::fill_n(target, out_inner, constant);
        else
          pad_row(static_cast<const T*>(in) + at, in_inner, rank > 0 ? before[rank - 1] : 0, out_inner, mode, constant,
                  target);
      }
    };
    parallel_for(outer, std::max<std::int64_t>(1, kGrainOperations / out_inner), std::ref(body));
  });
}

}  // namespace pare::kernels
