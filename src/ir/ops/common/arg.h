// ArgMax and ArgMin: index of the best element along an axis; the first, or with select_last_index the last.
#pragma once

#include "ir/op.h"

namespace pare::ir::ops {

void infer_arg(InferContext& ctx);
/// `sign` 1: the largest element; −1: the smallest.
std::vector<Tensor> evaluate_arg(const EvaluateContext& ctx, int sign);

template <int sign>
Operator arg_operator(std::string_view type) {
  return {
      .op_type = type,
      .since = 7,
      .min_inputs = 1,
      .max_inputs = 1,
      .attributes = {"axis", "keepdims", "select_last_index"},
      .infer = infer_arg,
      .evaluate = [](const EvaluateContext& ctx) { return evaluate_arg(ctx, sign); },
  };
}

}  // namespace pare::ir::ops
