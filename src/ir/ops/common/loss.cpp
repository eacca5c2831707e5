#include "ir/ops/common/loss.h"

#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {

void infer_loss(InferContext& ctx) {
  const std::string reduction = ctx.node.string_or("reduction", "mean");
  if (reduction != "none" && reduction != "sum" && reduction != "mean")
    ctx.fail("attribute 'reduction' is unknown", "none, sum or mean", reduction);
  require_rank_at_least(ctx, 0, 2);
  const Shape &scores = ctx.in(0).shape, &labels = ctx.in(1).shape;
  if (scores.ranked() && labels.ranked()) {
    if (labels.rank() != scores.rank() - 1)
      ctx.fail("labels have the wrong rank", std::to_string(scores.rank() - 1), std::to_string(labels.rank()));
    for (std::int64_t axis = 0; axis < labels.rank(); ++axis)
      require_same(ctx, labels[axis], scores[axis == 0 ? 0 : axis + 1], "size of labels and scores");
  }
  set_output(ctx, 0, ctx.in(0).dtype, reduction == "none" ? labels : Shape(std::vector<Dim>{}));
}

Tensor evaluate_loss(const EvaluateContext& ctx, const std::vector<double>& log_probabilities) {
  const Tensor& scores = ctx.in(0);
  const std::vector<std::int64_t> labels = to_ints(ctx.in(1));
  const std::vector<double> weights = ctx.has(2) ? to_doubles(ctx.in(2)) : std::vector<double>();
  const std::int64_t classes = scores.dim(1), ignored = ctx.node.int_or("ignore_index", -1);
  const bool ignores = ctx.node.find("ignore_index") != nullptr;
  if (ctx.has(2) && static_cast<std::int64_t>(weights.size()) != classes)
    ctx.fail("weights do not fit the classes", std::to_string(classes), std::to_string(weights.size()));
  std::int64_t positions = 1;  // a sample
  for (std::int64_t axis = 2; axis < scores.rank(); ++axis) positions *= scores.dim(axis);
  if (static_cast<std::int64_t>(labels.size()) != scores.dim(0) * positions)
    ctx.fail("labels do not fit the scores", std::to_string(scores.dim(0) * positions), std::to_string(labels.size()));
  std::vector<double> losses(labels.size(), 0);
  double sum = 0, total = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (ignores && labels[i] == ignored) continue;
    if (labels[i] < 0 || labels[i] >= classes)
      ctx.fail("label is out of range", "0 to " + std::to_string(classes - 1), std::to_string(labels[i]));
    const std::int64_t sample = static_cast<std::int64_t>(i) / positions, at = static_cast<std::int64_t>(i) % positions;
    const double weight = weights.empty() ? 1 : weights[static_cast<std::size_t>(labels[i])];
    losses[i] = -weight * log_probabilities[static_cast<std::size_t>((sample * classes + labels[i]) * positions + at)];
    sum += losses[i];
    total += weight;
  }
  const std::string reduction = ctx.node.string_or("reduction", "mean");
  if (reduction == "none") return from_doubles(scores.dtype(), ctx.in(1).dims(), losses);
  const double reduced[] = {reduction == "mean" ? sum / total : sum};
  return from_doubles(scores.dtype(), {}, reduced);
}

}  // namespace pare::ir::ops
