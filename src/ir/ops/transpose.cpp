// Transpose: output axis i is input axis perm[i]; reversed by default.
#include <numeric>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

std::vector<std::int64_t> default_permutation(std::int64_t rank) {
  std::vector<std::int64_t> perm(static_cast<std::size_t>(rank));
  std::iota(perm.rbegin(), perm.rend(), 0);
  return perm;
}

template <class Context>
std::vector<std::int64_t> permutation(const Context& ctx, std::int64_t rank) {
  const std::vector<std::int64_t> perm = ctx.node.ints_or("perm", default_permutation(rank));
  std::vector<bool> seen(static_cast<std::size_t>(rank));
  for (std::int64_t axis : perm) {
    if (axis < 0 || axis >= rank || seen[static_cast<std::size_t>(axis)])
      ctx.fail("attribute 'perm' is not a permutation of the axes",
               "axes 0 to " + std::to_string(rank - 1) + " once each", std::to_string(axis));
    seen[static_cast<std::size_t>(axis)] = true;
  }
  if (perm.size() != seen.size())
    ctx.fail("attribute 'perm' has the wrong length", std::to_string(rank), std::to_string(perm.size()));
  return perm;
}

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  if (!x.ranked()) return;
  std::vector<Dim> dims;
  for (std::int64_t axis : permutation(ctx, x.rank())) dims.push_back(x[axis]);
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Dims own = strides_of(x.dims());
  Dims dims, strides;
  for (std::int64_t axis : permutation(ctx, x.rank())) {
    dims.push_back(x.dim(axis));
    strides.push_back(own[static_cast<std::size_t>(axis)]);
  }
  return {strided(x, dims, 0, strides)};
}

std::vector<AxisRelation> axes(const AxesContext& ctx) {
  std::vector<AxisRelation> out;
  const Shape& x = ctx.inputs[0].shape;
  if (!x.ranked()) return out;
  const std::vector<std::int64_t> perm = ctx.node.ints_or("perm", default_permutation(x.rank()));
  for (std::size_t i = 0; i < perm.size(); ++i) {
    out.push_back(input_axis(0, perm[i], static_cast<int>(perm[i])));
    out.push_back(output_axis(0, static_cast<std::int64_t>(i), static_cast<int>(perm[i])));
  }
  return out;
}

}  // namespace

extern const Operator kTranspose = {
    .op_type = "Transpose",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"perm"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes,
};

}  // namespace pare::ir::ops
