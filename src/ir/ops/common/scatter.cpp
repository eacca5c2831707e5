#include "ir/ops/common/scatter.h"

#include <algorithm>
#include <cmath>

#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

template <class T>
T fold(const std::string& reduction, T a, T b) {
  if (reduction == "add") return a + b;
  if (reduction == "mul") return a * b;
  if (a != a || b != b) return a != a ? a : b;  // NaN
  return (reduction == "max") == (a > b) ? a : b;
}

template <class T>
void fold_all(const std::string& reduction, std::vector<T>& data, const std::vector<std::int64_t>& targets,
              const std::vector<T>& updates) {
  for (std::size_t i = 0; i < targets.size(); ++i) {
    T& target = data[static_cast<std::size_t>(targets[i])];
    target = fold(reduction, target, updates[i]);
  }
}

/// Signed for comparisons, and without undefined overflow: the arithmetic is modulo 2^64 in both.
Tensor fold_integers(const std::string& reduction, const Tensor& data, const std::vector<std::int64_t>& targets,
                     const Tensor& updates) {
  std::vector<std::int64_t> values = to_ints(data), others = to_ints(updates);
  const bool ordered_signed = (reduction == "max" || reduction == "min") && data.dtype() != DType::kUint64;
  if (ordered_signed) {
    fold_all(reduction, values, targets, others);
    return from_ints(data.dtype(), data.dims(), values);
  }
  std::vector<std::uint64_t> wide(values.begin(), values.end());
  fold_all(reduction, wide, targets, std::vector<std::uint64_t>(others.begin(), others.end()));
  return from_ints(data.dtype(), data.dims(), std::vector<std::int64_t>(wide.begin(), wide.end()));
}

}  // namespace

void check_reduction(const InferContext& ctx) {
  static const char* const known[] = {"none", "add", "mul", "max", "min"};
  const std::string reduction = ctx.node.string_or("reduction", "none");
  if (std::ranges::find(known, reduction) == std::end(known))
    ctx.fail("attribute 'reduction' is not known", "none, add, mul, max or min", reduction);
}

Tensor scatter(const EvaluateContext& ctx, const Tensor& data, const std::vector<std::int64_t>& targets,
               const Tensor& updates) {
  const std::string reduction = ctx.node.string_or("reduction", "none");
  if (data.dtype() != updates.dtype())
    ctx.fail("updates have the wrong type", std::string(name(data.dtype())), std::string(name(updates.dtype())));
  if (reduction == "none") {
    std::vector<std::int64_t> origin(static_cast<std::size_t>(data.numel()), -1);
    for (std::size_t i = 0; i < targets.size(); ++i)
      origin[static_cast<std::size_t>(targets[i])] = static_cast<std::int64_t>(i);
    const Tensor sources[] = {data, updates};
    return pick(sources, data.dims(), [&](std::int64_t i) {
      const std::int64_t from = origin[static_cast<std::size_t>(i)];
      return std::pair<std::size_t, std::int64_t>(from < 0 ? 0 : 1, from < 0 ? i : from);
    });
  }
  if (data.dtype() == DType::kString) ctx.fail("strings have no reduction", "none", reduction);
  if (!is_float(data.dtype())) return fold_integers(reduction, data, targets, updates);
  std::vector<double> values = to_doubles(data);
  fold_all(reduction, values, targets, to_doubles(updates));
  return from_doubles(data.dtype(), data.dims(), values);
}

std::vector<std::int64_t> element_targets(const EvaluateContext& ctx, const Dims& data, std::int64_t axis) {
  const Tensor& indices = ctx.in(1);
  const auto along = static_cast<std::size_t>(axis);
  if (indices.dims().size() != data.size())
    ctx.fail("indices have the wrong rank", std::to_string(data.size()), std::to_string(indices.rank()));
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (i != along && indices.dims()[i] > data[i])
      ctx.fail("indices are larger than the data off the axis", to_string(data), to_string(indices.dims()));
  }
  std::vector<std::int64_t> out = to_ints(indices);
  Dims strides = strides_of(data);
  const std::int64_t stride = strides[along];
  strides[along] = 0;
  for_each_strided(indices.dims(), 0, strides, [&](std::int64_t i, std::int64_t rest) {
    std::int64_t& index = out[static_cast<std::size_t>(i)];
    index = rest + checked_index(ctx, index, data[along]) * stride;
  });
  return out;
}

void infer_scatter_elements(InferContext& ctx) {
  infer_same(ctx);
  check_reduction(ctx);
  require_rank_at_least(ctx, 0, 1);
  const Shape &data = ctx.in(0).shape, &indices = ctx.in(1).shape, &updates = ctx.in(2).shape;
  if (data.ranked()) normalize_axis(ctx, ctx.node.int_or("axis", 0), data.rank());
  if (indices.ranked() && updates.ranked() && !merge(indices, updates))
    ctx.fail("indices and updates differ in shape", to_string(indices), to_string(updates));
}

std::vector<Tensor> evaluate_scatter_elements(const EvaluateContext& ctx) {
  const Tensor& data = ctx.in(0);
  const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", 0), data.rank());
  if (ctx.in(1).dims() != ctx.in(2).dims())
    ctx.fail("indices and updates differ in shape", to_string(ctx.in(1).dims()), to_string(ctx.in(2).dims()));
  return {scatter(ctx, data, element_targets(ctx, data.dims(), axis), ctx.in(2))};
}

}  // namespace pare::ir::ops
