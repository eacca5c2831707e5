// Loop: runs its body up to M times while the condition holds. Inputs M, cond, states; body inputs iteration, cond,
// states; body outputs cond, states, scan outputs; outputs the last states, then the scan outputs stacked on axis 0.
// A loop that cannot end, or that has not after kMostIterations, is an error.
#include <algorithm>

#include "ir/ops/common/control_flow.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"
#include "ir/refusal.h"

namespace pare::ir::ops {
namespace {

template <class Context>
std::size_t states_of(const Context& ctx) {
  const std::size_t own = own_inputs(ctx.node);
  return own < 2 ? 0 : own - 2;
}

template <class Context>
const Graph& checked_body(const Context& ctx) {
  const Graph& body = subgraph(ctx, "body");
  const std::size_t states = states_of(ctx);
  if (ctx.node.outputs.size() < states)
    ctx.fail("fewer outputs than loop-carried values", std::to_string(states) + " or more",
             std::to_string(ctx.node.outputs.size()));
  require_arity(ctx, body, "the body", states + 2, ctx.node.outputs.size() + 1);
  return body;
}

/// How many iterations, as far as inference can say.
Dim trip_count(const InferContext& ctx, const ValueFacts& next_condition) {
  const auto is_true = [](const ValueFacts& facts) {
    return facts.constant != nullptr && facts.dtype == DType::kBool && facts.constant->numel() == 1 &&
           facts.constant->data<bool>()[0];
  };
  const bool starts = !ctx.has(1) || is_true(ctx.in(1));
  if (!starts || !is_true(next_condition)) return {};
  if (!ctx.has(0)) ctx.fail("the loop never ends: it has neither a trip count nor a condition that becomes false");
  const auto most = known_ints(ctx, 0);
  if (most && most->size() == 1 && (*most)[0] > kMostIterations)
    ctx.fail("the loop is too long", "at most " + std::to_string(kMostIterations) + " iterations",
             std::to_string((*most)[0]));
  if (most && most->size() == 1) return Dim(std::max<std::int64_t>(0, (*most)[0]));
  return ctx.in(0).elements && ctx.in(0).elements->size() == 1 ? (*ctx.in(0).elements)[0] : Dim();
}

void infer(InferContext& ctx) {
  const Graph& body = checked_body(ctx);
  const std::size_t states = states_of(ctx);
  const Tensor yes = Tensor::scalar(true);
  std::vector<ValueFacts> inputs(states + 2);
  inputs[0] = {DType::kInt64, Shape(std::vector<Dim>{})};
  inputs[1] = {DType::kBool, Shape(std::vector<Dim>{}), &yes};  // the body runs only while it holds
  for (std::size_t i = 0; i < states; ++i) inputs[i + 2] = {ctx.in(i + 2).dtype, ctx.in(i + 2).shape};
  std::vector<ValueFacts> outputs;
  // States whose shape changes are widened until nothing does; every round makes a dimension or a rank unknown.
  for (bool settled = false; !settled;) {
    outputs = infer_graph(body, inner_opsets(body, ctx.opset), inputs, around(ctx));
    settled = true;
    for (std::size_t i = 0; i < states; ++i) {
      const ValueFacts wider = generalize(inputs[i + 2], outputs[i + 1]);
      if (wider.dtype == inputs[i + 2].dtype && wider.shape == inputs[i + 2].shape) continue;
      inputs[i + 2] = wider;
      settled = false;
    }
  }
  const Dim trips = trip_count(ctx, outputs[0]);
  for (std::size_t i = 0; i < ctx.node.outputs.size(); ++i) {
    if (i < states) {
      set_output(ctx, i, inputs[i + 2].dtype, inputs[i + 2].shape);
      continue;
    }
    Shape shape = outputs[i + 1].shape;
    if (shape.ranked()) shape.dims().insert(shape.dims().begin(), trips);
    set_output(ctx, i, outputs[i + 1].dtype, std::move(shape));
  }
}

bool one_bool(const EvaluateContext& ctx, const Tensor& tensor) {
  if (tensor.dtype() != DType::kBool || tensor.numel() != 1)
    ctx.fail("condition is not one boolean", "1 element of bool",
             to_string(tensor.dims()) + " of " + std::string(name(tensor.dtype())));
  return tensor.data<bool>()[0];
}

/// Facts of the slices, needed when no iteration makes any.
std::vector<ValueFacts> slices_without_iteration(const EvaluateContext& ctx, const Graph& body,
                                                 std::span<const Tensor> inputs) {
  std::vector<ValueFacts> facts;
  for (const Tensor& tensor : inputs) facts.push_back({tensor.dtype(), Shape::of(tensor.dims())});
  std::map<std::string, ValueFacts> outer;
  for (const auto& [name, tensor] : around(ctx)) outer[name] = {tensor.dtype(), Shape::of(tensor.dims())};
  return infer_graph(body, inner_opsets(body, ctx.opset), facts, outer);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Graph& body = checked_body(ctx);
  const std::size_t states = states_of(ctx), scans = ctx.node.outputs.size() - states;
  const GraphRunner runner(body, inner_opsets(body, ctx.opset));
  const GraphRunner::Around captured = around(ctx);
  const bool bounded = own_inputs(ctx.node) > 0 && ctx.has(0);
  if (bounded && ctx.in(0).numel() != 1) ctx.fail("trip count is not one element", "1", to_string(ctx.in(0).dims()));
  const std::int64_t most = bounded ? to_ints(ctx.in(0))[0] : kMostIterations + 1;
  const bool starts = own_inputs(ctx.node) < 2 || !ctx.has(1) || one_bool(ctx, ctx.in(1));
  std::vector<Tensor> inputs = {Tensor::scalar<std::int64_t>(0), Tensor::scalar(starts)};
  for (std::size_t i = 0; i < states; ++i) inputs.push_back(ctx.in(i + 2));
  std::vector<std::vector<Tensor>> slices(scans);
  std::int64_t gathered = 0;
  for (std::int64_t i = 0; i < most && one_bool(ctx, inputs[1]); ++i) {
    if (i == kMostIterations)
      refuse(ctx, "the loop does not end", "at most " + std::to_string(kMostIterations) + " iterations");
    inputs[0] = Tensor::scalar(i);
    std::vector<Tensor> outputs = runner.run(inputs, captured);
    std::int64_t held = 0;
    for (std::size_t s = 0; s <= states; ++s) {
      inputs[s + 1] = std::move(outputs[s]);
      held += static_cast<std::int64_t>(inputs[s + 1].bytes());
    }
    for (std::size_t s = 0; s < scans; ++s) {
      gathered += static_cast<std::int64_t>(outputs[s + states + 1].bytes());
      slices[s].push_back(std::move(outputs[s + states + 1]));
    }
    require_fits(ctx, held + gathered);
  }
  std::vector<Tensor> results(inputs.begin() + 2, inputs.end());
  const bool none = scans > 0 && slices[0].empty();
  const std::vector<ValueFacts> facts = none ? slices_without_iteration(ctx, body, inputs) : std::vector<ValueFacts>{};
  for (std::size_t s = 0; s < scans; ++s)
    results.push_back(stack(ctx, slices[s], none ? facts[s + states + 1] : ValueFacts{}, 0));
  return results;
}

}  // namespace

extern const Operator kLoop = {
    .op_type = "Loop",
    .since = 7,
    .min_inputs = 0,
    .max_inputs = -1,
    .min_outputs = 1,
    .max_outputs = -1,
    .attributes = {"body"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
