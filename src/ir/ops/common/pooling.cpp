#include "ir/ops/common/pooling.h"

#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {

void infer_pooling(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  set_output(ctx, 1, DType::kInt64);
  const std::vector<std::int64_t> kernel = ctx.node.ints_or("kernel_shape", {});
  if (kernel.empty()) ctx.fail("attribute 'kernel_shape' is missing");
  const Window window = read_window(ctx, kernel);
  if (!x.ranked()) return;
  if (x.rank() != static_cast<std::int64_t>(kernel.size()) + 2) {
    ctx.fail("input has the wrong rank", std::to_string(kernel.size() + 2), to_string(x));
  }
  std::vector<Dim> dims = {x[0], x[1]};
  for (std::size_t i = 0; i < kernel.size(); ++i)
    dims.push_back(window_output(ctx, window, i, x[static_cast<std::int64_t>(i) + 2]));
  set_output(ctx, 0, ctx.in(0).dtype, Shape(dims));
  set_output(ctx, 1, DType::kInt64, Shape(dims));
}

void infer_global_pooling(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  if (!x.ranked()) return;
  require_rank_at_least(ctx, 0, 3);
  std::vector<Dim> dims(static_cast<std::size_t>(x.rank()), Dim(1));
  dims[0] = x[0];
  dims[1] = x[1];
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
}

void for_each_window(std::int64_t planes, const std::vector<WindowAxis>& axes,
                     const std::function<void(std::int64_t, std::int64_t, const WindowView&)>& visit) {
  Dims outs, kernels, ins;
  for (const WindowAxis& axis : axes) {
    outs.push_back(axis.out);
    kernels.push_back(axis.kernel);
    ins.push_back(axis.in);
  }
  const Dims out_strides = strides_of(outs), kernel_strides = strides_of(kernels), in_strides = strides_of(ins);
  const std::int64_t out_count = element_count(outs), kernel_count = element_count(kernels);
  WindowView view;
  for (std::int64_t o = 0; o < out_count; ++o) {
    view.inside.clear();
    view.padded = 0;
    for (std::int64_t k = 0; k < kernel_count; ++k) {
      std::int64_t index = 0;
      bool in_input = true, in_padding = true;
      for (std::size_t a = 0; a < axes.size(); ++a) {
        const std::int64_t at = axes[a].source(o / out_strides[a] % outs[a], k / kernel_strides[a] % kernels[a]);
        in_input = in_input && at >= 0 && at < axes[a].in;
        in_padding = in_padding && at < axes[a].in + axes[a].pad_end;
        index += at * in_strides[a];
      }
      if (in_input) view.inside.push_back(index);
      if (in_padding) ++view.padded;
    }
    for (std::int64_t plane = 0; plane < planes; ++plane) visit(plane, o, view);
  }
}

std::vector<Tensor> reduce_planes(const EvaluateContext& ctx, double (*reduce)(std::span<const double>)) {
  const Tensor& x = ctx.in(0);
  if (x.rank() < 3) ctx.fail("input has too few axes", "rank 3 or more", to_string(x.dims()));
  const std::vector<double> values = to_doubles(x);
  Dims dims(x.dims().size(), 1);
  dims[0] = x.dim(0);
  dims[1] = x.dim(1);
  const std::int64_t planes = dims[0] * dims[1];
  const std::size_t size = planes == 0 ? 0 : values.size() / static_cast<std::size_t>(planes);
  std::vector<double> out;
  for (std::size_t plane = 0; plane < static_cast<std::size_t>(planes); ++plane) {
    out.push_back(reduce(std::span(values).subspan(plane * size, size)));
  }
  return {from_doubles(x.dtype(), dims, out)};
}

}  // namespace pare::ir::ops
