// Trilu: the upper (or lower) triangle of matrices from the k-th diagonal on; zeros elsewhere.
#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  require_rank_at_least(ctx, 0, 2);
  infer_same(ctx);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (x.rank() < 2) ctx.fail("input has too few axes", "rank 2 or more", to_string(x.dims()));
  const std::int64_t rows = x.dim(-2), columns = x.dim(-1), k = ctx.has(1) ? scalar_int(ctx, 1, "k") : 0;
  const bool upper = ctx.node.int_or("upper", 1) != 0;
  const Tensor zero = x.dtype() == DType::kString ? Tensor::strings({1}, {""}) : Tensor(x.dtype(), {1});
  const Tensor sources[] = {x, zero};
  return {pick(sources, x.dims(), [&](std::int64_t i) {
    const std::int64_t diagonal = i % columns - i / columns % rows;
    const bool kept = upper ? diagonal >= k : diagonal <= k;
    return std::pair<std::size_t, std::int64_t>(kept ? 0 : 1, kept ? i : 0);
  })};
}

}  // namespace

extern const Operator kTrilu = {
    .op_type = "Trilu",
    .since = 14,
    .min_inputs = 1,
    .max_inputs = 2,
    .attributes = {"upper"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
