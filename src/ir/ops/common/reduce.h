// Reductions over axes. The axes are an attribute, and an input from `axes_input_since` on (13 for ReduceSum, else 18).
#pragma once

#include <functional>
#include <vector>

#include "ir/op.h"

namespace pare::ir::ops {

/// Fold of one group of elements. long double holds every int64 exactly.
struct Reduction {
  long double start = 0;
  long double (*step)(long double sum, long double x) = nullptr;
  long double (*finish)(long double sum, std::int64_t count) = nullptr;  ///< null: the sum
};

void infer_reduction(InferContext& ctx, std::int64_t axes_input_since);
std::vector<Tensor> evaluate_reduction(const EvaluateContext& ctx, std::int64_t axes_input_since,
                                       const Reduction& reduction);
/// Kept axes are shared; reduced ones are contracted when `linear` (a removed zero changes nothing), else free.
std::vector<AxisRelation> axes_reduction(const AxesContext& ctx, bool linear);

/// The declaration of a reduction; kRule is a constant of the operator's file.
template <const Reduction& kRule, std::int64_t kAxesInputSince = 18>
Operator reduction_operator(std::string_view type, bool linear) {
  return {
      .op_type = type,
      .since = 1,
      .min_inputs = 1,
      .max_inputs = 2,
      .attributes = {"axes", "keepdims", "noop_with_empty_axes"},
      .infer = [](InferContext& ctx) { infer_reduction(ctx, kAxesInputSince); },
      .evaluate = [](const EvaluateContext& ctx) { return evaluate_reduction(ctx, kAxesInputSince, kRule); },
      .axes = linear ? +[](const AxesContext& ctx) { return axes_reduction(ctx, true); }
                     : +[](const AxesContext& ctx) { return axes_reduction(ctx, false); },
  };
}

}  // namespace pare::ir::ops
