// Lookup (pare): y[…] = table[x[…]], x of 8 bits, the table of 256 entries of 8 bits, one for each pattern of them:
// that of −1 is the last one. What several operators compute from one 8-bit tensor, as one node of a runtime's private
// copy (runtime/lookups.h); no file that Pare writes holds it.
#include "ir/ops/common/facts.h"
#include "ir/pare_domain.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  if (ctx.in(1).shape.is_static() && ctx.in(1).shape.rank() == 1 && ctx.in(1).shape[0].value() != 256)
    ctx.fail("its table is not complete", "256 entries", std::to_string(ctx.in(1).shape[0].value()));
  set_output(ctx, 0, ctx.in(1).dtype, ctx.in(0).shape);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  Tensor y(ctx.in(1).dtype(), ctx.in(0).dims());
  const auto* x = reinterpret_cast<const std::uint8_t*>(ctx.in(0).raw());
  const auto* table = reinterpret_cast<const std::uint8_t*>(ctx.in(1).raw());
  auto* out = reinterpret_cast<std::uint8_t*>(y.mutable_raw());
  for (std::int64_t i = 0; i < y.numel(); ++i) out[i] = table[x[i]];
  return {y};
}

}  // namespace

extern const Operator kLookup = {
    .op_type = "Lookup",
    .domain = kPareDomain,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
