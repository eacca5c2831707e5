// Interpolation along one axis, f32, and nearest-neighbour copies of any element.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

/// Output o is Σ weight[t] · in[index[t]] over t in [first[o], first[o + 1]).
struct Taps {
  const std::int64_t* first;
  const std::int64_t* index;
  const float* weight;
};

/// [outer, in_size, inner] → [outer, out_size, inner].
void interpolate_axis(std::int64_t outer, std::int64_t in_size, std::int64_t out_size, std::int64_t inner,
                      const Taps& taps, const float* in, float* out) noexcept;

/// [outer, in_h, in_w, inner] → [outer, out_h, out_w, inner] of elements of `element` bytes: pixel (y, x) is
/// (rows[y], columns[x]).
void nearest2d(std::int64_t element, std::int64_t outer, std::int64_t in_h, std::int64_t in_w, std::int64_t out_h,
               std::int64_t out_w, std::int64_t inner, const std::int64_t* rows, const std::int64_t* columns,
               const void* in, void* out) noexcept;

}  // namespace pare::kernels
