// SoftmaxCrossEntropyLoss: the loss of labels under log-softmax of the scores along axis 1, which is the second output.
#include <algorithm>
#include <cmath>

#include "ir/ops/common/facts.h"
#include "ir/ops/common/loss.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  infer_loss(ctx);
  set_output(ctx, 1, ctx.in(0).dtype, ctx.in(0).shape);
}

std::vector<double> log_softmax(const Tensor& scores) {
  std::vector<double> values = to_doubles(scores);
  const std::int64_t classes = scores.dim(1);
  std::int64_t positions = 1;
  for (std::int64_t axis = 2; axis < scores.rank(); ++axis) positions *= scores.dim(axis);
  for (std::int64_t i = 0; i < scores.dim(0) * positions && classes > 0; ++i) {
    double* first = values.data() + i / positions * classes * positions + i % positions;
    double largest = first[0], sum = 0;
    for (std::int64_t c = 1; c < classes; ++c) largest = std::max(largest, first[c * positions]);
    for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(first[c * positions] - largest);
    for (std::int64_t c = 0; c < classes; ++c) first[c * positions] -= largest + std::log(sum);
  }
  return values;
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const std::vector<double> logs = log_softmax(ctx.in(0));
  return {evaluate_loss(ctx, logs), from_doubles(ctx.in(0).dtype(), ctx.in(0).dims(), logs)};
}

}  // namespace

extern const Operator kSoftmaxCrossEntropyLoss = {
    .op_type = "SoftmaxCrossEntropyLoss",
    .since = 12,
    .min_inputs = 2,
    .max_inputs = 3,
    .max_outputs = 2,
    .attributes = {"ignore_index", "reduction"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
