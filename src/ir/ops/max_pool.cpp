// MaxPool: largest element of each window; optionally its flat index in the whole input (storage_order 1: column-major
// planes).
#include <cmath>
#include <limits>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/numeric.h"
#include "ir/ops/common/pooling.h"

namespace pare::ir::ops {
namespace {

/// Index within a plane as ONNX counts it.
std::int64_t reported_index(std::int64_t index, const std::vector<WindowAxis>& axes, bool column_major) {
  if (!column_major) return index;
  std::int64_t out = 0, weight = 1, rest = index;
  Dims position(axes.size());
  for (std::size_t a = axes.size(); a-- > 0; rest /= axes[a].in) position[a] = rest % axes[a].in;
  for (std::size_t a = 0; a < axes.size(); ++a) {
    out += position[a] * weight;
    weight *= axes[a].in;
  }
  return out;
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Window window = read_window(ctx, ctx.node.ints_or("kernel_shape", {}));
  if (x.rank() != static_cast<std::int64_t>(window.kernel.size()) + 2)
    ctx.fail("input has the wrong rank", std::to_string(window.kernel.size() + 2), to_string(x.dims()));
  const std::vector<WindowAxis> axes = resolve(ctx, window, Dims(x.dims().begin() + 2, x.dims().end()));
  Dims dims = {x.dim(0), x.dim(1)};
  std::int64_t plane_in = 1, plane_out = 1;
  for (const WindowAxis& axis : axes) {
    dims.push_back(axis.out);
    plane_in *= axis.in;
    plane_out *= axis.out;
  }
  const std::vector<double> values = to_doubles(x);
  std::vector<double> largest(static_cast<std::size_t>(element_count(dims)));
  std::vector<std::int64_t> indices(largest.size());
  const bool column_major = ctx.node.int_or("storage_order", 0) == 1;
  for_each_window(dims[0] * dims[1], axes, [&](std::int64_t plane, std::int64_t o, const WindowView& view) {
    double best =
        is_float(x.dtype()) ? -std::numeric_limits<double>::infinity() : (x.dtype() == DType::kInt8 ? -128 : 0);
    std::int64_t best_index = 0;
    bool first = true;
    for (std::int64_t i : view.inside) {
      const double value = values[static_cast<std::size_t>(plane * plane_in + i)];
      if (first || value > best || (std::isnan(value) && !std::isnan(best))) {
        best = value;
        best_index = i;
      }
      first = false;
    }
    largest[static_cast<std::size_t>(plane * plane_out + o)] = best;
    indices[static_cast<std::size_t>(plane * plane_out + o)] =
        plane * plane_in + reported_index(best_index, axes, column_major);
  });
  std::vector<Tensor> out = {from_doubles(x.dtype(), dims, largest)};
  if (ctx.node.outputs.size() > 1) out.push_back(from_ints(DType::kInt64, dims, indices));
  return out;
}

}  // namespace

extern const Operator kMaxPool = {
    .op_type = "MaxPool",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 2,
    .attributes = {"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"},
    .infer = infer_pooling,
    .evaluate = evaluate,
    .axes = axes_pooling,
};

}  // namespace pare::ir::ops
