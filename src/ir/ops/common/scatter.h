// What ScatterElements, Scatter and ScatterND share: updates written, or folded, into a copy of the data.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/op.h"

namespace pare::ir::ops {

/// data with updates[i] folded into data[targets[i]] in order, by the attribute `reduction` (none, add, mul, max, min).
Tensor scatter(const EvaluateContext& ctx, const Tensor& data, const std::vector<std::int64_t>& targets,
               const Tensor& updates);
/// Throws Error(kBadInput) when the attribute is none of these.
void check_reduction(const InferContext& ctx);

/// ScatterElements and its older name Scatter.
void infer_scatter_elements(InferContext& ctx);
std::vector<Tensor> evaluate_scatter_elements(const EvaluateContext& ctx);

/// Linear index into `data` of every element of `indices`, which replaces the coordinate on `axis` (GatherElements,
/// ScatterElements).
std::vector<std::int64_t> element_targets(const EvaluateContext& ctx, const Dims& data, std::int64_t axis);

}  // namespace pare::ir::ops
