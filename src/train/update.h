// One optimizer update of one parameter in a single pass over memory, on the CPU. An update by tensor operators reads
// and writes the weights five times; ResNet-18 then spends a tenth of its step there.
#pragma once

#include <cstdint>

namespace pare::train {

/// Parallel arrays of `count` elements. `mask` may be null: nothing is masked.
struct UpdateArrays {
  float* weight;
  const float* gradient;
  float* first;
  float* second;  ///< AdamW only
  const std::uint8_t* mask;
};

/// d = scale · gradient + weight_decay · w;  m = momentum · m + d;  w −= lr · (nesterov ? d + momentum · m : m).
struct SgdRule {
  float learning_rate, scale, momentum, weight_decay;
  bool nesterov;
};

/// Loshchilov & Hutter 2019: m, v moments of scale · gradient;  w −= lr · weight_decay · w;
/// w −= lr · (m / correction1) / (sqrt(v / correction2) + epsilon), corrections 1 − betaᵗ.
struct AdamWRule {
  float learning_rate, scale, beta1, beta2, epsilon, weight_decay, correction1, correction2;
};

/// Elements [begin, end). Masked ones become +0 in weight and moments.
void sgd_update(const UpdateArrays& arrays, const SgdRule& rule, std::int64_t begin, std::int64_t end) noexcept;
void adamw_update(const UpdateArrays& arrays, const AdamWRule& rule, std::int64_t begin, std::int64_t end) noexcept;

/// Σ values², in f64.
double squares_of(const float* values, std::int64_t count) noexcept;

}  // namespace pare::train
