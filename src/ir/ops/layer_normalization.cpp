// LayerNormalization: y = (x − mean) / √(variance + epsilon) · scale + bias over the axes from `axis` on (Ba et al.,
// 2016). Optional outputs: mean and inverse standard deviation, in the type that stash_type names.
#include "ir/ops/common/facts.h"
#include "ir/ops/common/normalize.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

DType stash_type(const Node& node) {
  return static_cast<DType>(node.int_or("stash_type", static_cast<std::int64_t>(DType::kFloat32)));
}

void infer(InferContext& ctx) {
  infer_same(ctx);
  const DType stash = stash_type(ctx.node);
  if (!is_float(stash))
    ctx.fail("attribute 'stash_type' is no float type", "1", std::to_string(static_cast<int>(stash)));
  set_output(ctx, 1, stash);
  set_output(ctx, 2, stash);
  const Shape& x = ctx.in(0).shape;
  if (!x.ranked()) return;
  check_affine(ctx);
  const std::int64_t axis = first_normalized_axis(ctx);
  std::vector<Dim> dims = x.dims();
  for (std::int64_t i = axis; i < x.rank(); ++i) dims[static_cast<std::size_t>(i)] = Dim(1);
  set_output(ctx, 1, stash, Shape(dims));
  set_output(ctx, 2, stash, Shape(dims));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::int64_t axis = first_normalized_axis(ctx);
  const double epsilon = ctx.node.float_or("epsilon", 1e-5F);
  Dims dims = x.dims();
  for (std::int64_t i = axis; i < x.rank(); ++i) dims[static_cast<std::size_t>(i)] = 1;
  std::vector<double> values = to_doubles(x), mean, inverse;
  const auto groups = static_cast<std::size_t>(element_count(dims));
  const std::size_t size = groups == 0 ? 0 : values.size() / groups;
  for (std::size_t g = 0; g < groups; ++g) {
    const std::span<double> group = std::span(values).subspan(g * size, size);
    const Moments m = moments(group, epsilon);
    for (double& value : group) value = (value - m.mean) * m.inverse;
    mean.push_back(m.mean);
    inverse.push_back(m.inverse);
  }
  apply_affine(ctx, values);
  std::vector<Tensor> out = {from_doubles(x.dtype(), x.dims(), values)};
  if (ctx.node.outputs.size() > 1) {
    out.push_back(from_doubles(stash_type(ctx.node), dims, mean));
    out.push_back(from_doubles(stash_type(ctx.node), dims, inverse));
  }
  return out;
}

}  // namespace

extern const Operator kLayerNormalization = {
    .op_type = "LayerNormalization",
    .since = 17,
    .min_inputs = 2,
    .max_inputs = 3,
    .max_outputs = 3,
    .attributes = {"axis", "epsilon", "stash_type"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes_layer_norm,
};

}  // namespace pare::ir::ops
