#include "kernels/norm/norm.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/threads.h"
#include "kernels/window.h"

namespace pare::kernels {
namespace {

constexpr std::int64_t kLanes = 8;

/// Σ (x − shift)^power; several sums side by side, so that the compiler can use vectors without reordering one.
template <int power>
double row_sum(const float* in, std::int64_t count, double shift) noexcept {
  double lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::int64_t l = 0; l < kLanes; ++l) {
      const double x = in[i + l] - shift;
      lanes[l] += power == 2 ? x * x : x;
    }
  }
  for (; i < count; ++i) {
    const double x = in[i] - shift;
    lanes[0] += power == 2 ? x * x : x;
  }
  double sum = 0;
  for (double lane : lanes) sum += lane;
  return sum;
}

void normalize_group(const NormShape& s, std::int64_t group, const float* in, const float* scale, const float* bias,
                     float* out) noexcept {
  const auto count = static_cast<double>(s.size);
  const double mean = s.subtract_mean ? row_sum<1>(in, s.size, 0) / count : 0;
  const auto inverse = static_cast<float>(1 / std::sqrt(row_sum<2>(in, s.size, mean) / count + s.epsilon));
  const auto center = static_cast<float>(mean);
  const std::int64_t first = group % s.period * (s.size / s.plane);
  if (s.plane == 1) {
    for (std::int64_t i = 0; i < s.size; ++i)
      out[i] = (in[i] - center) * inverse * scale[first + i] + (bias ? bias[first + i] : 0.0f);
    return;
  }
  for (std::int64_t c = 0; c < s.size / s.plane; ++c) {
    const float factor = inverse * scale[first + c], shift = bias ? bias[first + c] : 0.0f;
    for (std::int64_t i = c * s.plane; i < (c + 1) * s.plane; ++i) out[i] = (in[i] - center) * factor + shift;
  }
}

}  // namespace

void normalize(const NormShape& shape, const float* in, const float* scale, const float* bias, float* out) noexcept {
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t g = begin; g < end; ++g)
      normalize_group(shape, g, in + g * shape.size, scale, bias, out + g * shape.size);
  };
  parallel_for(shape.groups, std::max<std::int64_t>(1, kGrainOperations / std::max<std::int64_t>(1, 4 * shape.size)),
               std::ref(body));
}

}  // namespace pare::kernels
