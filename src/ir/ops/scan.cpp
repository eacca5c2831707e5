// Scan (opset 9): runs its body for every slice of its scan inputs. Inputs states, scan inputs; body inputs the same,
// one slice each; body outputs states, slices of the scan outputs; outputs the last states, then the stacked slices.
#include <algorithm>

#include "ir/ops/common/control_flow.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

/// The attributes for one node, checked.
struct Layout {
  std::size_t states, scan_inputs, scan_outputs;
  std::vector<std::int64_t> in_axes, in_directions, out_axes, out_directions;
};

template <class Context>
std::vector<std::int64_t> list_of(const Context& ctx, const std::string& attribute, std::size_t count) {
  std::vector<std::int64_t> values = ctx.node.ints_or(attribute, std::vector<std::int64_t>(count, 0));
  if (values.size() != count)
    ctx.fail("attribute '" + attribute + "' has the wrong length", std::to_string(count),
             std::to_string(values.size()));
  return values;
}

template <class Context>
Layout layout_of(const Context& ctx, const Graph& body) {
  const std::size_t inputs = own_inputs(ctx.node), outputs = ctx.node.outputs.size();
  const std::int64_t declared = ctx.node.int_or("num_scan_inputs", 0);
  if (declared < 1 || static_cast<std::size_t>(declared) > inputs)
    ctx.fail("attribute 'num_scan_inputs' is out of range", "1 to " + std::to_string(inputs), std::to_string(declared));
  Layout layout;
  layout.scan_inputs = static_cast<std::size_t>(declared);
  layout.states = inputs - layout.scan_inputs;
  if (outputs < layout.states)
    ctx.fail("fewer outputs than state variables", std::to_string(layout.states) + " or more", std::to_string(outputs));
  layout.scan_outputs = outputs - layout.states;
  require_arity(ctx, body, "the body", inputs, outputs);
  layout.in_axes = list_of(ctx, "scan_input_axes", layout.scan_inputs);
  layout.in_directions = list_of(ctx, "scan_input_directions", layout.scan_inputs);
  layout.out_axes = list_of(ctx, "scan_output_axes", layout.scan_outputs);
  layout.out_directions = list_of(ctx, "scan_output_directions", layout.scan_outputs);
  return layout;
}

void infer(InferContext& ctx) {
  const Graph& body = subgraph(ctx, "body");
  const Layout layout = layout_of(ctx, body);
  std::vector<ValueFacts> inputs;
  for (std::size_t i = 0; i < layout.states; ++i) inputs.push_back({ctx.in(i).dtype, ctx.in(i).shape});
  Dim length;
  for (std::size_t i = 0; i < layout.scan_inputs; ++i) {
    const ValueFacts& whole = ctx.in(i + layout.states);
    ValueFacts slice{whole.dtype, whole.shape};
    if (slice.shape.ranked()) {
      const std::int64_t axis = normalize_axis(ctx, layout.in_axes[i], whole.shape.rank());
      length = require_same(ctx, length, whole.shape[axis], "scan inputs differ in length");
      slice.shape.dims().erase(slice.shape.dims().begin() + axis);
    }
    inputs.push_back(std::move(slice));
  }
  const std::vector<ValueFacts> outputs = infer_graph(body, inner_opsets(body, ctx.opset), inputs, around(ctx));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (i < layout.states) {
      const ValueFacts state = generalize(inputs[i], outputs[i]);
      set_output(ctx, i, state.dtype, state.shape);
      continue;
    }
    Shape shape = outputs[i].shape;
    if (shape.ranked()) {
      const std::int64_t axis = normalize_axis(ctx, layout.out_axes[i - layout.states], shape.rank() + 1);
      shape.dims().insert(shape.dims().begin() + axis, length);
    }
    set_output(ctx, i, outputs[i].dtype, std::move(shape));
  }
}

Tensor slice_of(const Tensor& whole, std::int64_t axis, std::int64_t at) {
  Dims dims = whole.dims(), strides = strides_of(whole.dims());
  const std::int64_t offset = at * strides[static_cast<std::size_t>(axis)];
  dims.erase(dims.begin() + axis);
  strides.erase(strides.begin() + axis);
  return strided(whole, dims, offset, strides);
}

std::int64_t length_of(const EvaluateContext& ctx, Layout& layout) {
  std::int64_t length = -1;
  for (std::size_t i = 0; i < layout.scan_inputs; ++i) {
    const Tensor& whole = ctx.in(i + layout.states);
    layout.in_axes[i] = normalize_axis(ctx, layout.in_axes[i], whole.rank());
    const std::int64_t own = whole.dim(layout.in_axes[i]);
    if (length >= 0 && own != length)
      ctx.fail("scan inputs differ in length", std::to_string(length), std::to_string(own));
    length = own;
  }
  return length;
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Graph& body = subgraph(ctx, "body");
  Layout layout = layout_of(ctx, body);
  const std::int64_t length = length_of(ctx, layout);
  const GraphRunner runner(body, inner_opsets(body, ctx.opset));
  const GraphRunner::Around captured = around(ctx);
  std::vector<Tensor> inputs(ctx.inputs.begin(),
                             ctx.inputs.begin() + static_cast<std::ptrdiff_t>(own_inputs(ctx.node)));
  std::vector<std::vector<Tensor>> slices(layout.scan_outputs);
  for (std::int64_t t = 0; t < length; ++t) {
    for (std::size_t i = 0; i < layout.scan_inputs; ++i)
      inputs[i + layout.states] =
          slice_of(ctx.in(i + layout.states), layout.in_axes[i], layout.in_directions[i] == 0 ? t : length - 1 - t);
    std::vector<Tensor> outputs = runner.run(inputs, captured);
    for (std::size_t i = 0; i < layout.states; ++i) inputs[i] = std::move(outputs[i]);
    for (std::size_t i = 0; i < layout.scan_outputs; ++i) slices[i].push_back(std::move(outputs[i + layout.states]));
  }
  std::vector<Tensor> results(inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(layout.states));
  for (std::size_t i = 0; i < layout.scan_outputs; ++i) {
    if (layout.out_directions[i] != 0) std::ranges::reverse(slices[i]);
    const Value& declared = body.value(body.outputs[i + layout.states]);
    results.push_back(stack(ctx, slices[i], {declared.dtype, declared.shape}, layout.out_axes[i]));
  }
  return results;
}

}  // namespace

extern const Operator kScan = {
    .op_type = "Scan",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = -1,
    .min_outputs = 1,
    .max_outputs = -1,
    .attributes = {"body", "num_scan_inputs", "scan_input_axes", "scan_input_directions", "scan_output_axes",
                   "scan_output_directions"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
