// What the normalizations share: moments of a group of elements, the affine part, and the lines of LpNormalization.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ir/op.h"

namespace pare::ir::ops {

/// Mean and 1/√(variance + epsilon), the variance over all elements (not n−1).
struct Moments {
  double mean, inverse;
};
Moments moments(std::span<const double> group, double epsilon);

/// Where LayerNormalization and RMSNormalization start to normalize: every axis from here on.
std::int64_t first_normalized_axis(const InferContext& ctx);
std::int64_t first_normalized_axis(const EvaluateContext& ctx);
/// Throws unless scale and bias (input slots from 1) broadcast to the input.
void check_affine(const InferContext& ctx);
/// values = values · scale (input 1) + bias (input 2, when there), both broadcast to the input's shape.
void apply_affine(const EvaluateContext& ctx, std::vector<double>& values);
/// The axes before the normalized ones are shared. A removed entry of a normalized axis would change the moments.
std::vector<AxisRelation> axes_layer_norm(const AxesContext& ctx);

}  // namespace pare::ir::ops
