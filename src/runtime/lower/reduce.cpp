// Reductions over neighbouring axes of f32.
#include "kernels/reduce/reduce.h"

#include <algorithm>

#include "runtime/lower/spatial_mean.h"

namespace pare::runtime {

namespace {

/// Sorted non-negative axes; nullopt when they are not constant. Empty: none (noop_with_empty_axes).
std::optional<std::vector<std::int64_t>> reduced_axes(Lowerer& lw, const ir::Node& node, std::int64_t rank) {
  std::vector<std::int64_t> axes = node.ints_or("axes", {});
  if (node.input(1) != ir::kNoValue) {
    const Tensor given = lw.constant(node.input(1));
    if (!given.defined() || given.dtype() != DType::kInt64) return std::nullopt;
    axes.assign(given.data<std::int64_t>().begin(), given.data<std::int64_t>().end());
  }
  for (std::int64_t& axis : axes) axis = axis < 0 ? axis + rank : axis;
  std::sort(axes.begin(), axes.end());
  if (axes.empty() && !node.int_or("noop_with_empty_axes", 0))
    for (std::int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

std::optional<std::string> lower_reduce(Lowerer& lw, const Group& group, kernels::ReduceOp op) {
  const ir::Node& node = lw.main(group);
  const Dims in = lw.dims(node.input(0));
  if (group.integer) return "no integer form";
  if (lw.dtype(node.input(0)) != DType::kFloat32) return "only float32 has a kernel";
  const auto axes = reduced_axes(lw, node, static_cast<std::int64_t>(in.size()));
  if (!axes || axes->empty()) return "the axes are not constant";
  if (axes->back() - axes->front() + 1 != static_cast<std::int64_t>(axes->size())) return "the axes are apart";
  std::int64_t outer = 1, axis = 1, inner = 1;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    (at < axes->front() ? outer : at <= axes->back() ? axis : inner) *= in[i];
  }
  const BufferId x = lw.read(node.input(0)), y = lw.write(group.output);
  lw.emit(group, {"reduce_f32", "neighbouring axes"}, {x}, {y},
          [=](const Frame& frame) { kernels::reduce(op, outer, axis, inner, frame.at<float>(x), frame.at<float>(y)); });
  return std::nullopt;
}

}  // namespace

std::optional<std::string> lower_ReduceMean(Lowerer& lw, const Group& group) {
  if (is_spatial_mean(lw.model(), lw.main(group))) return lower_spatial_mean(lw, group);
  return lower_reduce(lw, group, kernels::ReduceOp::kMean);
}
std::optional<std::string> lower_ReduceSum(Lowerer& lw, const Group& g) {
  return lower_reduce(lw, g, kernels::ReduceOp::kSum);
}
std::optional<std::string> lower_ReduceMax(Lowerer& lw, const Group& g) {
  return lower_reduce(lw, g, kernels::ReduceOp::kMax);
}
std::optional<std::string> lower_ReduceMin(Lowerer& lw, const Group& g) {
  return lower_reduce(lw, g, kernels::ReduceOp::kMin);
}
std::optional<std::string> lower_ReduceProd(Lowerer& lw, const Group& g) {
  return lower_reduce(lw, g, kernels::ReduceOp::kProd);
}
std::optional<std::string> lower_ReduceL2(Lowerer& lw, const Group& g) {
  return lower_reduce(lw, g, kernels::ReduceOp::kL2);
}

}  // namespace pare::runtime
