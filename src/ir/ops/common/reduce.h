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

}  // namespace pare::ir::ops
