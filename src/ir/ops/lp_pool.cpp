// LpPool: p-norm of each window; what lies in the padding counts as 0.
#include <cmath>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/numeric.h"
#include "ir/ops/common/pooling.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Window window = read_window(ctx, ctx.node.ints_or("kernel_shape", {}));
  if (x.rank() != static_cast<std::int64_t>(window.kernel.size()) + 2)
    ctx.fail("input has the wrong rank", std::to_string(window.kernel.size() + 2), to_string(x.dims()));
  const std::vector<WindowAxis> axes = resolve(ctx, window, Dims(x.dims().begin() + 2, x.dims().end()));
  const auto p = static_cast<double>(ctx.node.int_or("p", 2));
  if (p < 1) ctx.fail("attribute 'p' is out of range", "1 or more", std::to_string(p));
  Dims dims = {x.dim(0), x.dim(1)};
  std::int64_t plane_in = 1, plane_out = 1;
  for (const WindowAxis& axis : axes) {
    dims.push_back(axis.out);
    plane_in *= axis.in;
    plane_out *= axis.out;
  }
  const std::vector<double> values = to_doubles(x);
  std::vector<double> out(static_cast<std::size_t>(element_count(dims)));
  for_each_window(dims[0] * dims[1], axes, [&](std::int64_t plane, std::int64_t o, const WindowView& view) {
    double sum = 0;
    for (std::int64_t i : view.inside)
      sum += std::pow(std::abs(values[static_cast<std::size_t>(plane * plane_in + i)]), p);
    out[static_cast<std::size_t>(plane * plane_out + o)] = std::pow(sum, 1 / p);
  });
  return {from_doubles(x.dtype(), dims, out)};
}

}  // namespace

extern const Operator kLpPool = {
    .op_type = "LpPool",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"auto_pad", "ceil_mode", "dilations", "kernel_shape", "p", "pads", "strides"},
    .infer = infer_pooling,
    .evaluate = evaluate,
    .axes = axes_pooling,
};

}  // namespace pare::ir::ops
