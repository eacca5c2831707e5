#include "train/update.h"

#include <cmath>

namespace pare::train {

void sgd_update(const UpdateArrays& arrays, const SgdRule& rule, std::int64_t begin, std::int64_t end) noexcept {
  float* __restrict w = arrays.weight;
  float* __restrict m = arrays.first;
  const float* __restrict g = arrays.gradient;
  const std::uint8_t* __restrict mask = arrays.mask;
  const float look_ahead = rule.nesterov ? 1.0F : 0.0F, along = rule.nesterov ? rule.momentum : 1.0F;
  for (std::int64_t i = begin; i < end; ++i) {
    const float d = rule.scale * g[i] + rule.weight_decay * w[i];
    m[i] = rule.momentum * m[i] + d;
    w[i] -= rule.learning_rate * (look_ahead * d + along * m[i]);
  }
  if (mask == nullptr) return;
  for (std::int64_t i = begin; i < end; ++i) {
    w[i] = mask[i] != 0 ? w[i] : 0.0F;
    m[i] = mask[i] != 0 ? m[i] : 0.0F;
  }
}

double squares_of(const float* values, std::int64_t count) noexcept {
  constexpr std::int64_t kLanes = 16;  // sums side by side, so that the compiler can use vectors
  double lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (std::int64_t l = 0; l < kLanes; ++l) lanes[l] += static_cast<double>(values[i + l]) * values[i + l];
  for (; i < count; ++i) lanes[0] += static_cast<double>(values[i]) * values[i];
  double sum = 0;
  for (double lane : lanes) sum += lane;
  return sum;
}

void adamw_update(const UpdateArrays& arrays, const AdamWRule& rule, std::int64_t begin, std::int64_t end) noexcept {
  float* __restrict w = arrays.weight;
  float* __restrict m = arrays.first;
  float* __restrict v = arrays.second;
  const float* __restrict g = arrays.gradient;
  const std::uint8_t* __restrict mask = arrays.mask;
  const float shrink = 1.0F - rule.learning_rate * rule.weight_decay;
  const float rate = rule.learning_rate / rule.correction1, root = 1.0F / std::sqrt(rule.correction2);
  for (std::int64_t i = begin; i < end; ++i) {
    const float d = rule.scale * g[i];
    m[i] = rule.beta1 * m[i] + (1 - rule.beta1) * d;
    v[i] = rule.beta2 * v[i] + (1 - rule.beta2) * d * d;
    w[i] = w[i] * shrink - rate * m[i] / (std::sqrt(v[i]) * root + rule.epsilon);
  }
  if (mask == nullptr) return;
  for (std::int64_t i = begin; i < end; ++i) {
    w[i] = mask[i] != 0 ? w[i] : 0.0F;
    m[i] = mask[i] != 0 ? m[i] : 0.0F;
    v[i] = mask[i] != 0 ? v[i] : 0.0F;
  }
}

}  // namespace pare::train
