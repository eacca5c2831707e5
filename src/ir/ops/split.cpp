// Split: cuts an axis into parts. Sizes are an attribute, an input from opset 13; otherwise equal parts (from 18
// num_outputs, the last one smaller when they do not divide).
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

/// Sizes of the parts when none are given.
template <class Context>
std::vector<std::int64_t> equal_parts(const Context& ctx, std::int64_t length) {
  const auto count = static_cast<std::int64_t>(ctx.node.outputs.size());
  const std::int64_t declared = ctx.node.int_or("num_outputs", count);
  if (declared != count)
    ctx.fail("attribute 'num_outputs' differs from the outputs", std::to_string(count), std::to_string(declared));
  if (ctx.opset < 18 && length % count != 0)
    ctx.fail("axis does not split equally", "a multiple of " + std::to_string(count), std::to_string(length));
  const std::int64_t part = (length + count - 1) / count;
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(count), part);
  sizes.back() = length - part * (count - 1);
  if (sizes.back() < 0)
    ctx.fail("axis is too short for the parts", "at least " + std::to_string(part * (count - 1)),
             std::to_string(length));
  return sizes;
}

template <class Context>
void check_sizes(const Context& ctx, const std::vector<std::int64_t>& sizes, std::int64_t length) {
  if (sizes.size() != ctx.node.outputs.size())
    ctx.fail("number of sizes differs from the outputs", std::to_string(ctx.node.outputs.size()),
             std::to_string(sizes.size()));
  std::int64_t sum = 0;
  for (std::int64_t size : sizes) {
    if (size < 0) ctx.fail("size of a part is negative", "0 or more", std::to_string(size));
    sum += size;
  }
  if (length >= 0 && sum != length)
    ctx.fail("sizes do not add up to the axis", std::to_string(length), std::to_string(sum));
}

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  for (std::size_t i = 0; i < ctx.outputs.size(); ++i) set_output(ctx, i, ctx.in(0).dtype);
  if (!x.ranked()) return;
  const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", 0), x.rank());
  const auto given = ints_of(ctx, "split", 1, ctx.opset >= 13);
  std::vector<Dim> sizes(ctx.outputs.size());
  if (given && !given->empty()) {
    check_sizes(ctx, *given, x[axis].is_known() ? x[axis].value() : -1);
    sizes.assign(given->begin(), given->end());
  } else if (given && x[axis].is_known()) {
    const std::vector<std::int64_t> parts = equal_parts(ctx, x[axis].value());
    sizes.assign(parts.begin(), parts.end());
  }
  for (std::size_t i = 0; i < ctx.outputs.size(); ++i) {
    std::vector<Dim> dims = x.dims();
    dims[static_cast<std::size_t>(axis)] = sizes[i];
    set_output(ctx, i, ctx.in(0).dtype, Shape(std::move(dims)));
  }
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", 0), x.rank());
  std::vector<std::int64_t> sizes = ints_of(ctx, "split", 1, ctx.opset >= 13);
  if (sizes.empty()) sizes = equal_parts(ctx, x.dim(axis));
  check_sizes(ctx, sizes, x.dim(axis));
  const Dims strides = strides_of(x.dims());
  std::vector<Tensor> out;
  std::int64_t first = 0;
  for (std::int64_t size : sizes) {
    Dims dims = x.dims();
    dims[static_cast<std::size_t>(axis)] = size;
    out.push_back(strided(x, dims, first * strides[static_cast<std::size_t>(axis)], strides));
    first += size;
  }
  return out;
}

std::vector<AxisRelation> axes(const AxesContext& ctx) {
  std::vector<AxisRelation> out;
  const Shape& x = ctx.inputs[0].shape;
  if (!x.ranked()) return out;
  const std::int64_t given = ctx.node.int_or("axis", 0), axis = given < 0 ? given + x.rank() : given;
  for (std::int64_t i = 0; i < x.rank(); ++i) {
    const Kind kind = i == axis ? Kind::kSplit : Kind::kSame;
    out.push_back(input_axis(0, i, static_cast<int>(i), kind));
    for (std::size_t slot = 0; slot < ctx.outputs.size(); ++slot)
      out.push_back(output_axis(slot, i, static_cast<int>(i), kind));
  }
  return out;
}

}  // namespace

extern const Operator kSplit = {
    .op_type = "Split",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 2,
    .max_outputs = -1,
    .attributes = {"axis", "num_outputs", "split"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes,
};

}  // namespace pare::ir::ops
