#include "ir/learned_masks.h"

#include <algorithm>
#include <cmath>

namespace pare::ir {
namespace {

/// y[i] = f(i, w[i]), with +0 for −0.
template <typename Function>
Tensor mapped(const Tensor& weight, Function function) {
  Tensor out(DType::kFloat32, weight.dims());
  const auto from = weight.data<float>();
  auto to = out.mutable_data<float>();
  for (std::size_t i = 0; i < to.size(); ++i) {
    const float y = function(i, from[i]);
    to[i] = y == 0 ? 0.0F : y;
  }
  return out;
}

/// The element of a tensor of dims `small` that broadcasts to element `at` of `dims` (of the same rank).
std::size_t broadcast_index(std::size_t at, const Dims& dims, const Dims& small) {
  std::size_t index = 0, stride = 1;
  for (std::size_t axis = dims.size(); axis-- > 0;) {
    const auto size = static_cast<std::size_t>(dims[axis]), own = static_cast<std::size_t>(small[axis]);
    if (own > 1) index += at % size * stride;
    stride *= own;
    at /= size;
  }
  return index;
}

}  // namespace

Tensor movement_masked(const Tensor& weight, const Tensor& mask) {
  const auto kept = mask.data<float>();
  return mapped(weight, [&](std::size_t i, float w) { return w * kept[i]; });
}

double threshold_of(double s) { return 1 / (1 + std::exp(-s)); }

Tensor soft_thresholded(const Tensor& weight, const Tensor& s) {
  const auto threshold = static_cast<float>(threshold_of(static_cast<double>(s.data<float>()[0])));
  return mapped(weight, [&](std::size_t, float w) { return std::copysign(std::max(std::fabs(w) - threshold, 0.0F), w); });
}

double concrete_gate(double log_alpha) {
  return std::clamp((kConcreteZeta - kConcreteGamma) / (1 + std::exp(-log_alpha)) + kConcreteGamma, 0.0, 1.0);
}

double concrete_open(double log_alpha) {
  return 1 / (1 + std::exp(-(log_alpha - kConcreteBeta * std::log(-kConcreteGamma / kConcreteZeta))));
}

Tensor concrete_gated(const Tensor& weight, const Tensor& log_alpha) {
  const auto gates = log_alpha.data<float>();
  return mapped(weight, [&](std::size_t i, float w) {
    const float a = gates[broadcast_index(i, weight.dims(), log_alpha.dims())];
    return w * static_cast<float>(concrete_gate(static_cast<double>(a)));
  });
}

}  // namespace pare::ir
