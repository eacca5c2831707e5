#include "ir/ops/common/integer.h"

#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

/// The node as its float operator sees it: without zero points.
Node float_node(const Node& node, const Operator& op) {
  Node out = node;
  out.op_type = std::string(op.op_type);
  out.inputs.resize(2);
  return out;
}

}  // namespace

Tensor centred(const EvaluateContext& ctx, std::size_t slot, std::size_t zero, std::int64_t axis) {
  const Tensor& x = ctx.in(slot);
  std::vector<double> values = to_doubles(x);
  if (ctx.has(zero)) {
    const std::vector<double> points = to_doubles(ctx.in(zero));
    const Dims strides = strides_of(x.dims());
    const std::int64_t at = axis < 0 ? axis + x.rank() : axis;
    const bool one = points.size() == 1;
    if (!one && (at < 0 || at >= x.rank() || static_cast<std::int64_t>(points.size()) != x.dim(at)))
      ctx.fail("zero point does not fit input " + std::to_string(slot), "1 element or one per index of an axis",
               to_string(ctx.in(zero).dims()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto index = one ? 0 : static_cast<std::int64_t>(i) / strides[static_cast<std::size_t>(at)] % x.dim(at);
      values[i] -= points[static_cast<std::size_t>(index)];
    }
  }
  return from_doubles(DType::kFloat64, x.dims(), values);
}

std::vector<Tensor> as_int32(const EvaluateContext& ctx, const Operator& op, const std::vector<Tensor>& inputs) {
  const Node node = float_node(ctx.node, op);
  const Tensor y = op.evaluate({node, ctx.opset, inputs})[0];
  const auto sums = y.data<double>();
  std::vector<std::int64_t> wrapped(sums.begin(), sums.end());
  return {from_ints(DType::kInt32, y.dims(), wrapped)};
}

void infer_as(InferContext& ctx, const Operator& op) {
  std::vector<ValueFacts> inputs;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const DType dtype = ctx.in(slot).dtype;
    if (dtype != DType::kInt8 && dtype != DType::kUint8 && dtype != DType::kUndefined)
      ctx.fail("input " + std::to_string(slot) + " has the wrong type", "int8 or uint8", std::string(name(dtype)));
    inputs.push_back({DType::kFloat32, ctx.in(slot).shape});
  }
  const Node node = float_node(ctx.node, op);
  InferContext inner{node, ctx.opset, inputs, ctx.outputs};
  op.infer(inner);
  ctx.outputs[0].dtype = DType::kInt32;
}

}  // namespace pare::ir::ops
