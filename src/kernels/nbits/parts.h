// What all forms of a low-bit product share: panels of a call, and its parts for threads.
#pragma once

#include <algorithm>
#include <functional>

#include "base/threads.h"
#include "kernels/nbits/row.h"

namespace pare::kernels {

inline std::int64_t rounded(std::int64_t value, std::int64_t to) noexcept { return (value + to - 1) / to * to; }

inline int outputs_of(const NBitsMatrix::Packed& p, std::int64_t panel) noexcept {
  return static_cast<int>(std::clamp<std::int64_t>(p.shape.n - panel * kNBitsLanes, 0, kNBitsLanes));
}

inline const float* bias_of(const float* bias, std::int64_t panel) noexcept {
  return bias ? bias + panel * kNBitsLanes : nullptr;
}

/// The two panels of a call from `panel` on; behind the last one there is none.
template <class Call>
void set_panels(const NBitsMatrix::Packed& p, std::int64_t panel, const float* bias, Call& call) noexcept {
  for (int i = 0; i < 2 && panel + i < p.panels; ++i) {
    call.panel[i] = p.panel(panel + i);
    call.bias[i] = bias_of(bias, panel + i);
    call.outputs[i] = outputs_of(p, panel + i);
  }
}

/// run(begin, end, part): as many parts of [0, count) as threads.
template <class Run>
void for_parts(std::int64_t count, int threads, const Run& run) {
  if (threads <= 1) return run(0, count, 0);
  const auto body = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t part = first; part < last; ++part)
      run(count * part / threads, count * (part + 1) / threads, static_cast<int>(part));
  };
  parallel_for(threads, 1, std::ref(body));
}

}  // namespace pare::kernels
