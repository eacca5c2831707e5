// The softmax of a row over a vector type V of the including file (kernels/vec_*.h; what is made of it must stay in
// that file).
#pragma once

#include <cstdint>

namespace pare::kernels {

template <class V>
void softmax_vectors(const float* in, std::int64_t count, float* out) {
  auto largest = V::set(-__builtin_inff());
  for (std::int64_t i = 0; i < count; i += V::kLanes)  // NaN is the first operand, which max passes over
    largest = V::max(V::load_some(in + i, count - i, -__builtin_inff()), largest);
  const auto shift = V::set(-V::largest(largest));
  auto sum = V::zero();
  for (std::int64_t i = 0; i < count; i += V::kLanes) {
    V::store_some(out + i, count - i, V::exp_negative(V::add(V::load_some(in + i, count - i, 0.0f), shift)));
    sum = V::add(V::load_some(out + i, count - i, 0.0f), sum);
  }
  const auto factor = V::set(1.0f / V::sum(sum));
  for (std::int64_t i = 0; i < count; i += V::kLanes)
    V::store_some(out + i, count - i, V::mul(V::load_some(out + i, count - i, 0.0f), factor));
}

}  // namespace pare::kernels
