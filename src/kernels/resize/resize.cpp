#include "kernels/resize/resize.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/threads.h"
#include "kernels/window.h"

namespace pare::kernels {

void interpolate_axis(std::int64_t outer, std::int64_t in_size, std::int64_t out_size, std::int64_t inner,
                      const Taps& taps, const float* in, float* out) noexcept {
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t o = line % out_size;
      const float* from = in + line / out_size * in_size * inner;
      float* to = out + line * inner;
      std::fill_n(to, inner, 0.0f);
      for (std::int64_t t = taps.first[o]; t < taps.first[o + 1]; ++t) {
        const float weight = taps.weight[t];
        const float* source = from + taps.index[t] * inner;
        for (std::int64_t i = 0; i < inner; ++i) to[i] += weight * source[i];
      }
    }
  };
  parallel_for(outer * out_size, std::max<std::int64_t>(1, kGrainOperations / std::max<std::int64_t>(1, 4 * inner)),
               std::ref(body));
}

void nearest2d(std::int64_t element, std::int64_t outer, std::int64_t in_h, std::int64_t in_w, std::int64_t out_h,
               std::int64_t out_w, std::int64_t inner, const std::int64_t* rows, const std::int64_t* columns,
               const void* in, void* out) noexcept {
  const auto bytes = static_cast<std::size_t>(element * inner);
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t row = line / out_h * in_h + rows[line % out_h];
      const auto* from = static_cast<const std::byte*>(in) + static_cast<std::size_t>(row * in_w) * bytes;
      auto* to = static_cast<std::byte*>(out) + static_cast<std::size_t>(line * out_w) * bytes;
      for (std::int64_t x = 0; x < out_w; ++x, to += bytes)
        std::memcpy(to, from + static_cast<std::size_t>(columns[x]) * bytes, bytes);
    }
  };
  parallel_for(outer * out_h, std::max<std::int64_t>(1, kGrainOperations / std::max<std::int64_t>(1, out_w * inner)),
               std::ref(body));
}

}  // namespace pare::kernels
