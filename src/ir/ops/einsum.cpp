// Einsum: sums of products over the labels of an equation, "..." and repeated labels (diagonals) included. Operands are
// contracted from left to right; a label is summed as soon as nothing after needs it.
#include "ir/ops/common/einsum.h"

#include <algorithm>
#include <map>
#include <set>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  require_same_type(ctx);
  set_output(ctx, 0, ctx.in(0).dtype);
  std::vector<std::int64_t> ranks;
  for (const ValueFacts& input : ctx.inputs) {
    if (!input.shape.ranked()) return;
    ranks.push_back(input.shape.rank());
  }
  const Equation equation = parse_equation(ctx, ranks);
  std::map<Label, Dim> sizes;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    for (std::size_t axis = 0; axis < equation.operands[i].size(); ++axis) {
      const Dim& own = ctx.in(i).shape[static_cast<std::int64_t>(axis)];
      const auto [found, fresh] = sizes.try_emplace(equation.operands[i][axis], own);
      if (!fresh) found->second = broadcast(ctx, found->second, own);
    }
  }
  std::vector<Dim> dims;
  for (Label label : equation.result) dims.push_back(sizes[label]);
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
}

using Sizes = std::map<Label, std::int64_t>;

struct Operand {
  std::vector<double> values;
  Labels labels;
  Dims dims;
};

/// Stride of every label in an operand; a repeated label walks the diagonal, one of size 1 stays.
std::map<Label, std::int64_t> label_strides(const Operand& operand) {
  std::map<Label, std::int64_t> out;
  const Dims strides = strides_of(operand.dims);
  for (std::size_t i = 0; i < operand.labels.size(); ++i)
    out[operand.labels[i]] += operand.dims[i] == 1 ? 0 : strides[i];
  return out;
}

/// Offset into an operand for every combination of `labels`, in row-major order.
std::vector<std::int64_t> offsets(const Operand& operand, const Labels& labels, const Sizes& sizes) {
  std::map<Label, std::int64_t> own = label_strides(operand);
  Dims dims, strides;
  for (Label label : labels) {
    dims.push_back(sizes.at(label));
    strides.push_back(own[label]);
  }
  std::vector<std::int64_t> out(static_cast<std::size_t>(element_count(dims)));
  for_each_strided(dims, 0, strides, [&](std::int64_t i, std::int64_t j) { out[static_cast<std::size_t>(i)] = j; });
  return out;
}

/// Σ a·b over the labels that are not kept.
Operand contract(const EvaluateContext& ctx, const Operand& a, const Operand& b, const Labels& kept,
                 const Sizes& sizes) {
  Labels summed;
  for (const Labels* labels : {&a.labels, &b.labels}) {
    for (Label label : *labels) {
      const auto in = [label](const Labels& list) { return std::ranges::find(list, label) != list.end(); };
      if (!in(kept) && !in(summed)) summed.push_back(label);
    }
  }
  Operand out;
  out.labels = kept;
  Dims inner;
  for (Label label : kept) out.dims.push_back(sizes.at(label));
  for (Label label : summed) inner.push_back(sizes.at(label));
  require_room(ctx, out.dims);
  require_room(ctx, inner);
  const auto a_outer = offsets(a, kept, sizes), b_outer = offsets(b, kept, sizes), a_inner = offsets(a, summed, sizes),
             b_inner = offsets(b, summed, sizes);
  out.values.resize(a_outer.size());
  for (std::size_t o = 0; o < out.values.size(); ++o) {
    const double *x = a.values.data() + a_outer[o], *y = b.values.data() + b_outer[o];
    double sum = 0;
    for (std::size_t i = 0; i < a_inner.size(); ++i) sum += x[a_inner[i]] * y[b_inner[i]];
    out.values[o] = sum;
  }
  return out;
}

/// Labels of `have` and `next` that the result or a later operand still needs.
Labels still_needed(const Equation& equation, const Labels& have, std::size_t next) {
  std::set<Label> later(equation.result.begin(), equation.result.end());
  for (std::size_t i = next + 1; i < equation.operands.size(); ++i)
    later.insert(equation.operands[i].begin(), equation.operands[i].end());
  Labels out;
  for (const Labels* labels : {&have, &equation.operands[next]}) {
    for (Label label : *labels) {
      if (later.contains(label) && std::ranges::find(out, label) == out.end()) out.push_back(label);
    }
  }
  return out;
}

Sizes label_sizes(const EvaluateContext& ctx, const Equation& equation) {
  Sizes sizes;
  for (std::size_t i = 0; i < ctx.inputs.size(); ++i) {
    for (std::size_t axis = 0; axis < equation.operands[i].size(); ++axis) {
      const std::int64_t own = ctx.in(i).dims()[axis];
      const auto [found, fresh] = sizes.try_emplace(equation.operands[i][axis], own);
      if (fresh || found->second == own || own == 1) continue;
      if (found->second != 1)
        ctx.fail("input " + std::to_string(i) + " does not fit the equation on axis " + std::to_string(axis),
                 std::to_string(found->second), std::to_string(own));
      found->second = own;
    }
  }
  return sizes;
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  std::vector<std::int64_t> ranks;
  for (const Tensor& input : ctx.inputs) ranks.push_back(input.rank());
  const Equation equation = parse_equation(ctx, ranks);
  const Sizes sizes = label_sizes(ctx, equation);
  Operand sum{{1.0}, {}, {}};
  for (std::size_t i = 0; i < ctx.inputs.size(); ++i) {
    const Operand next{to_doubles(ctx.in(i)), equation.operands[i], ctx.in(i).dims()};
    const bool last = i + 1 == ctx.inputs.size();
    sum = contract(ctx, sum, next, last ? equation.result : still_needed(equation, sum.labels, i), sizes);
  }
  return {from_doubles(ctx.in(0).dtype(), sum.dims, sum.values)};
}

/// Of a product of two or more operands: one for every combination of labels. A single operand multiplies nothing.
std::int64_t macs(const Node& node, std::span<const ValueFacts> in, std::span<const ValueFacts>) {
  if (in.size() < 2) return 0;
  std::vector<ValueFacts> unused;
  std::vector<std::int64_t> ranks;
  for (const ValueFacts& input : in) ranks.push_back(input.shape.rank());
  const Equation equation = parse_equation(InferContext{node, 0, in, unused}, ranks);
  Sizes sizes;
  for (std::size_t i = 0; i < in.size(); ++i) {
    for (std::size_t axis = 0; axis < equation.operands[i].size(); ++axis) {
      std::int64_t& size = sizes.try_emplace(equation.operands[i][axis], 1).first->second;
      size = std::max(size, in[i].shape[static_cast<std::int64_t>(axis)].value());
    }
  }
  std::int64_t out = 1;
  for (const auto& [label, size] : sizes) out *= size;
  return out;
}

std::vector<AxisRelation> axes(const AxesContext& ctx) {
  std::vector<std::int64_t> ranks;
  for (const ValueFacts& input : ctx.inputs) {
    if (!input.shape.ranked()) return {};
    ranks.push_back(input.shape.rank());
  }
  std::vector<ValueFacts> unused;
  const Equation equation = parse_equation(InferContext{ctx.node, 0, ctx.inputs, unused}, ranks);
  std::vector<AxisRelation> out;
  for (std::size_t i = 0; i < equation.operands.size(); ++i) {
    for (std::size_t axis = 0; axis < equation.operands[i].size(); ++axis) {
      const Label label = equation.operands[i][axis];
      if (ctx.inputs[i].shape[static_cast<std::int64_t>(axis)] == Dim(1)) continue;  // may be broadcast
      const bool kept = std::ranges::find(equation.result, label) != equation.result.end();
      out.push_back(input_axis(i, static_cast<std::int64_t>(axis), label, kept ? Kind::kSame : Kind::kContracted));
    }
  }
  for (std::size_t axis = 0; axis < equation.result.size(); ++axis)
    out.push_back(output_axis(0, static_cast<std::int64_t>(axis), equation.result[axis]));
  return out;
}

}  // namespace

extern const Operator kEinsum = {
    .op_type = "Einsum",
    .since = 12,
    .min_inputs = 1,
    .max_inputs = -1,
    .attributes = {"equation"},
    .infer = infer,
    .evaluate = evaluate,
    .macs = macs,
    .axes = axes,
};

}  // namespace pare::ir::ops
