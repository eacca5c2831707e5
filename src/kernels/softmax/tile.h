// The softmax of a row over a vector type V of the including file (kernels/vec_*.h; what is made of it must stay in
// that file).
#pragma once

#include <cstdint>

namespace pare::kernels {

/// use(load, store) for each vector of a row, the last of them masked. What a masked store wrote no load can take before
/// it is in the cache, so that nothing here reads what it just wrote.
template <class V, class Use>
void for_vectors(std::int64_t count, const Use& use) {
  std::int64_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes)
    use([i](const float* p, float) { return V::load(p + i); }, [i](float* p, auto x) { V::store(p + i, x); });
  const std::int64_t left = count - i;
  if (left > 0)
    use([=](const float* p, float rest) { return V::load_some(p + i, left, rest); },
        [=](float* p, auto x) { V::store_some(p + i, left, x); });
}

template <class V>
void softmax_vectors(const float* in, std::int64_t count, float* out) {
  constexpr float kNone = -__builtin_inff();  // whose power is 0
  auto largest = V::set(kNone);
  for_vectors<V>(count, [&](auto load, auto) {
    largest = V::max(load(in, kNone), largest);  // NaN is the first operand, which max passes over
  });
  const auto shift = V::set(-V::largest(largest));
  auto sum = V::zero();
  for_vectors<V>(count, [&](auto load, auto store) {
    const auto power = V::exp_negative(V::add(load(in, kNone), shift));
    store(out, power);
    sum = V::add(power, sum);
  });
  const auto factor = V::set(1.0f / V::sum(sum));
  for_vectors<V>(count, [&](auto load, auto store) { store(out, V::mul(load(out, 0.0f), factor)); });
}

}  // namespace pare::kernels
