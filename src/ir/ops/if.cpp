// If: the outputs of one of two subgraphs, which take no inputs but read the values around.
#include "ir/ops/common/control_flow.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"
#include "ir/refusal.h"

namespace pare::ir::ops {
namespace {

const char* branch_of(bool condition) { return condition ? "then_branch" : "else_branch"; }

std::vector<ValueFacts> infer_branch(InferContext& ctx, bool condition) {
  const Graph& graph = subgraph(ctx, branch_of(condition));
  require_arity(ctx, graph, std::string(branch_of(condition)), 0, ctx.node.outputs.size());
  return infer_graph(graph, inner_opsets(graph, ctx.opset), {}, around(ctx));
}

/// A branch that contradicts the shapes that reach it cannot be the one that runs, so the other one tells the outputs.
/// Exporters write such branches where a shape decides.
std::vector<ValueFacts> infer_either(InferContext& ctx) {
  std::optional<std::vector<ValueFacts>> yes;
  try {
    yes = infer_branch(ctx, true);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kBadInput) throw;
    return infer_branch(ctx, false);
  }
  try {
    const std::vector<ValueFacts> no = infer_branch(ctx, false);
    for (std::size_t slot = 0; slot < no.size(); ++slot) {
      const DType a = (*yes)[slot].dtype, b = no[slot].dtype;
      if (a != b && a != DType::kUndefined && b != DType::kUndefined)
        refuse(ctx, "branches differ in the type of output " + std::to_string(slot), std::string(name(a)),
               std::string(name(b)));
      (*yes)[slot] = generalize((*yes)[slot], no[slot]);
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kBadInput) throw;
  }
  return *yes;
}

void infer(InferContext& ctx) {
  if (ctx.in(0).dtype != DType::kBool && ctx.in(0).dtype != DType::kUndefined)
    ctx.fail("condition has the wrong type", "bool", std::string(name(ctx.in(0).dtype)));
  const Tensor* condition = ctx.in(0).constant;
  const bool known = condition != nullptr && condition->numel() == 1;
  ctx.outputs = known ? infer_branch(ctx, condition->data<bool>()[0]) : infer_either(ctx);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  if (ctx.in(0).numel() != 1) ctx.fail("condition is not one element", "1", std::to_string(ctx.in(0).numel()));
  const Graph& graph = subgraph(ctx, branch_of(ctx.in(0).data<bool>()[0]));
  return GraphRunner(graph, inner_opsets(graph, ctx.opset)).run({}, around(ctx));
}

}  // namespace

extern const Operator kIf = {
    .op_type = "If",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = -1,
    .attributes = {"else_branch", "then_branch"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
