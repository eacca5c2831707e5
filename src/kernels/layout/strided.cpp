#include "kernels/layout/strided.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/threads.h"
#include "kernels/layout/elements.h"
#include "kernels/layout/layout.h"
#include "kernels/window.h"

namespace pare::kernels {
namespace {

template <class T>
void copy_run(const T* in, std::int64_t stride, std::int64_t count, T* out) noexcept {
  if (stride == 1)
    std::memcpy(out, in, count * sizeof(T));
  else
    for (std::int64_t i = 0; i < count; ++i) out[i] = in[i * stride];
}

}  // namespace

void copy_strided(std::int64_t element, int rank, const std::int64_t* dims, const std::int64_t* strides, const void* in,
                  void* out) noexcept {
  const std::int64_t inner = rank > 0 ? dims[rank - 1] : 1, inner_stride = rank > 0 ? strides[rank - 1] : 1;
  std::int64_t outer = 1;
  for (int i = 0; i + 1 < rank; ++i) outer *= dims[i];
  if (inner == 0 || outer == 0) return;
  with_element(element, [&](auto zero) {
    using T = decltype(zero);
    const auto body = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        std::int64_t at = 0, rest = row;
        for (int i = rank - 2; i >= 0; --i) at += rest % dims[i] * strides[i], rest /= dims[i];
        copy_run(static_cast<const T*>(in) + at, inner_stride, inner, static_cast<T*>(out) + row * inner);
      }
    };
    parallel_for(outer, std::max<std::int64_t>(1, kGrainOperations / inner), std::ref(body));
  });
}

void slice(std::int64_t element, int rank, const std::int64_t* in_dims, const std::int64_t* starts,
           const std::int64_t* steps, const std::int64_t* out_dims, const void* in, void* out) noexcept {
  std::int64_t strides[kMaxRank], stride = 1, first = 0;
  for (int i = rank - 1; i >= 0; --i) {
    strides[i] = stride * steps[i];
    first += stride * starts[i];
    stride *= in_dims[i];
  }
  copy_strided(element, rank, out_dims, strides, static_cast<const std::byte*>(in) + first * element, out);
}

void copy_rows(std::int64_t outer, std::int64_t row_bytes, const void* in, std::int64_t in_pitch, void* out,
               std::int64_t out_pitch) noexcept {
  if (row_bytes <= 0) return;
  const auto body = [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      std::memcpy(static_cast<std::byte*>(out) + row * out_pitch, static_cast<const std::byte*>(in) + row * in_pitch,
                  row_bytes);
    }
  };
  parallel_for(outer, std::max<std::int64_t>(1, 8 * kGrainOperations / row_bytes), std::ref(body));
}

}  // namespace pare::kernels
