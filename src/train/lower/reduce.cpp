// Reductions over axes, and softmax.
#include <algorithm>
#include <numeric>

#include "train/lowering.h"

namespace pare::train {
namespace {

using Reduction = at::Tensor (*)(const at::Tensor&, at::IntArrayRef axes, bool keep);

/// `input_since`: the opset at which axes became an input.
Call reduction(const LowerContext& context, std::int64_t input_since, Reduction reduce) {
  const std::vector<std::int64_t> axes = context.ints("axes", 1, input_since).value_or(std::vector<std::int64_t>());
  const bool keep = context.node.int_or("keepdims", 1) != 0;
  const bool none = axes.empty() && context.node.int_or("noop_with_empty_axes", 0) != 0;
  if (none) return unary(context, [](const at::Tensor& x) { return x; });
  return unary(context, [=](const at::Tensor& x) {
    std::vector<std::int64_t> over = axes;
    if (over.empty()) {
      over.resize(static_cast<std::size_t>(x.dim()));
      std::iota(over.begin(), over.end(), 0);
    }
    return reduce(x, over, keep);
  });
}

/// From opset 13 along one axis; before, over all axes from `axis` on, seen as rows of a matrix.
template <class Function>
Call softmax(const LowerContext& context, Function function) {
  const std::int64_t axis = context.node.int_or("axis", context.opset >= 13 ? -1 : 1);
  if (context.opset >= 13) return unary(context, [=](const at::Tensor& x) { return function(x, axis); });
  return unary(context, [=](const at::Tensor& x) {
    const auto split = wrap_axis(axis, x.dim());
    std::int64_t rows = 1;
    for (std::int64_t i = 0; i < split; ++i) rows *= x.size(i);
    return function(x.reshape({rows, -1}), -1).reshape(x.sizes());
  });
}

}  // namespace

Call lower_reduce_mean(const LowerContext& context) {
  return reduction(context, 18, [](auto& x, auto axes, bool keep) { return at::mean(x, axes, keep); });
}
Call lower_reduce_sum(const LowerContext& context) {
  return reduction(context, 13, [](auto& x, auto axes, bool keep) { return at::sum(x, axes, keep, x.scalar_type()); });
}
Call lower_reduce_max(const LowerContext& context) {
  return reduction(context, 18, [](auto& x, auto axes, bool keep) { return at::amax(x, axes, keep); });
}
Call lower_reduce_min(const LowerContext& context) {
  return reduction(context, 18, [](auto& x, auto axes, bool keep) { return at::amin(x, axes, keep); });
}
Call lower_reduce_l2(const LowerContext& context) {
  return reduction(context, 18, [](auto& x, auto axes, bool keep) { return at::sqrt(at::sum(x * x, axes, keep)); });
}

Call lower_reduce_l1(const LowerContext& context) {
  return reduction(context, 18, [](auto& x, auto axes, bool keep) { return at::sum(at::abs(x), axes, keep); });
}
Call lower_reduce_sum_square(const LowerContext& context) {
  return reduction(context, 18, [](auto& x, auto axes, bool keep) { return at::sum(x * x, axes, keep); });
}
Call lower_reduce_log_sum_exp(const LowerContext& context) {
  return reduction(context, 18, [](auto& x, auto axes, bool keep) { return at::logsumexp(x, axes, keep); });
}
Call lower_reduce_prod(const LowerContext& context) {
  return reduction(context, 18, [](const at::Tensor& x, at::IntArrayRef axes, bool keep) {
    // One axis at a time, the last first, so that the others keep their places.
    std::vector<std::int64_t> order;
    for (const std::int64_t axis : axes) order.push_back(wrap_axis(axis, x.dim()));
    std::sort(order.rbegin(), order.rend());
    at::Tensor result = x;
    for (const std::int64_t axis : order) result = at::prod(result, axis, keep, x.scalar_type());
    return result;
  });
}

Call lower_softmax(const LowerContext& context) {
  return softmax(context, [](const at::Tensor& x, std::int64_t axis) { return at::softmax(x, axis); });
}
Call lower_log_softmax(const LowerContext& context) {
  return softmax(context, [](const at::Tensor& x, std::int64_t axis) { return at::log_softmax(x, axis); });
}

}  // namespace pare::train
