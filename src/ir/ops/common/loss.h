// What NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss share. [N, C, d…] scores, [N, d…] labels, [C] weights
// (optional): loss = −weight[label] · log-probability[label], 0 where the label is ignore_index; `reduction` none, sum,
// or mean (over the weights of the labels that count).
#pragma once

#include <vector>

#include "ir/op.h"

namespace pare::ir::ops {

/// Type and shape of output 0; checks the reduction and that labels fit the scores.
void infer_loss(InferContext& ctx);
/// Output 0 from log-probabilities of the shape of input 0.
Tensor evaluate_loss(const EvaluateContext& ctx, const std::vector<double>& log_probabilities);

}  // namespace pare::ir::ops
