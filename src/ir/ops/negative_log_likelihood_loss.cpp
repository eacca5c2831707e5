// NegativeLogLikelihoodLoss: the loss of labels under log-probabilities.
#include "ir/ops/common/loss.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {

extern const Operator kNegativeLogLikelihoodLoss = {
    .op_type = "NegativeLogLikelihoodLoss",
    .since = 12,
    .min_inputs = 2,
    .max_inputs = 3,
    .attributes = {"ignore_index", "reduction"},
    .infer = infer_loss,
    .evaluate =
        [](const EvaluateContext& ctx) { return std::vector<Tensor>{evaluate_loss(ctx, to_doubles(ctx.in(0)))}; },
};

}  // namespace pare::ir::ops
