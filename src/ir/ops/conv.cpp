// Conv: cross-correlation of [N, C, spatial…] with weights [M, C/group, kernel…] plus bias [M]; up to three spatial
// axes.
#include <algorithm>

#include "base/float16.h"
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"
#include "ir/ops/common/window.h"
#include "ir/refusal.h"

namespace pare::ir::ops {
namespace {

void check_channels(const InferContext& ctx, const Shape& x, const Shape& w, std::int64_t group) {
  if (w.rank() != x.rank()) ctx.fail("weight has the wrong rank", std::to_string(x.rank()), to_string(w));
  if (x[1].is_known() && w[1].is_known() && x[1].value() != w[1].value() * group) {
    ctx.fail("input channels do not match the weight", std::to_string(w[1].value() * group), to_string(x[1]));
  }
  if (w[0].is_known() && w[0].value() % group != 0) {
    ctx.fail("output channels are not a multiple of group", "a multiple of " + std::to_string(group), to_string(w[0]));
  }
  const Shape& bias = ctx.in(2).shape;
  if (!ctx.has(2) || !bias.ranked()) return;
  if (bias.rank() != 1) ctx.fail("bias has the wrong rank", "1", to_string(bias));
  require_same(ctx, w[0], bias[0], "bias length differs from the output channels");
}

void infer(InferContext& ctx) {
  require_same_type(ctx);
  const Shape &x = ctx.in(0).shape, &w = ctx.in(1).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  if (!x.ranked()) return;
  require_rank_at_least(ctx, 0, 3);
  const std::int64_t group = ctx.node.int_or("group", 1);
  if (group < 1) ctx.fail("attribute 'group' is out of range", "1 or more", std::to_string(group));
  if (w.ranked()) check_channels(ctx, x, w, group);
  std::vector<Dim> out(static_cast<std::size_t>(x.rank()));
  out[0] = x[0];
  if (w.ranked()) out[1] = w[0];
  const std::vector<std::int64_t> kernel = weight_kernel(ctx, x.rank() - 2);
  if (static_cast<std::int64_t>(kernel.size()) == x.rank() - 2) {
    const Window window = read_window(ctx, kernel);
    for (std::size_t i = 0; i < kernel.size(); ++i)
      out[i + 2] = window_output(ctx, window, i, x[static_cast<std::int64_t>(i) + 2]);
  }
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(out)));
}

/// Everything as three spatial axes; missing ones have size 1.
struct Geometry {
  std::int64_t batch, channels, outputs, group;
  WindowAxis d, h, w;
};

/// First and one past the last output whose source for kernel element k lies inside the input.
std::pair<std::int64_t, std::int64_t> inside(const WindowAxis& axis, std::int64_t k) {
  const std::int64_t shift = k * axis.dilation - axis.pad;  // source = o·stride + shift
  const std::int64_t first = shift >= 0 ? 0 : (-shift + axis.stride - 1) / axis.stride;
  const std::int64_t last = axis.in - 1 - shift < 0 ? -1 : (axis.in - 1 - shift) / axis.stride;
  return {first, std::min(axis.out, last + 1)};
}

/// One output row: sums over channels and kernel in a fixed order, in double.
template <class T>
void convolve_row(const Geometry& g, const T* x, const T* w, std::int64_t od, std::int64_t oh,
                  std::vector<double>& row) {
  const std::int64_t per_group = g.channels / g.group;
  for (std::int64_t c = 0; c < per_group; ++c) {
    for (std::int64_t kd = 0; kd < g.d.kernel; ++kd) {
      const std::int64_t id = g.d.source(od, kd);
      if (id < 0 || id >= g.d.in) continue;
      for (std::int64_t kh = 0; kh < g.h.kernel; ++kh) {
        const std::int64_t ih = g.h.source(oh, kh);
        if (ih < 0 || ih >= g.h.in) continue;
        const T* line = x + ((c * g.d.in + id) * g.h.in + ih) * g.w.in;
        const T* taps = w + ((c * g.d.kernel + kd) * g.h.kernel + kh) * g.w.kernel;
        for (std::int64_t kw = 0; kw < g.w.kernel; ++kw) {
          const auto [begin, end] = inside(g.w, kw);
          const double weight = taps[kw];
          for (std::int64_t ow = begin; ow < end; ++ow)
            row[static_cast<std::size_t>(ow)] += weight * line[g.w.source(ow, kw)];
        }
      }
    }
  }
}

template <class T>
Tensor convolve(const Geometry& g, const Tensor& x, const Tensor& w, const Tensor* bias, Dims dims) {
  Tensor y(x.dtype(), std::move(dims));
  const T* xs = x.data<T>().data();
  const T* ws = w.data<T>().data();
  T* out = y.mutable_data<T>().data();
  const std::int64_t per_group = g.channels / g.group, plane = g.d.in * g.h.in * g.w.in;
  const std::int64_t taps = g.d.kernel * g.h.kernel * g.w.kernel;
  std::vector<double> row(static_cast<std::size_t>(g.w.out));
  for (std::int64_t n = 0; n < g.batch; ++n) {
    for (std::int64_t m = 0; m < g.outputs; ++m) {
      const std::int64_t first = m / (g.outputs / g.group) * per_group;
      const double start = bias != nullptr ? static_cast<double>(bias->data<T>()[static_cast<std::size_t>(m)]) : 0;
      for (std::int64_t od = 0; od < g.d.out; ++od) {
        for (std::int64_t oh = 0; oh < g.h.out; ++oh) {
          row.assign(row.size(), start);
          convolve_row(g, xs + (n * g.channels + first) * plane, ws + m * per_group * taps, od, oh, row);
          for (double value : row) *out++ = static_cast<T>(value);
        }
      }
    }
  }
  return y;
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const DType dtype = ctx.in(0).dtype();
  const DType compute = dtype == DType::kFloat64 ? dtype : DType::kFloat32;
  const auto as_compute = [&](std::size_t slot) {
    return ctx.in(slot).dtype() == compute ? ctx.in(slot) : cast(ctx.in(slot), compute);
  };
  const Tensor x = as_compute(0), w = as_compute(1), bias = ctx.has(2) ? as_compute(2) : Tensor();
  const auto spatial = static_cast<std::size_t>(x.rank() - 2);
  if (spatial < 1 || spatial > 3) refuse(ctx, "Conv with this many spatial axes", "1 to 3", std::to_string(spatial));
  const Window window = read_window(ctx, Dims(w.dims().begin() + 2, w.dims().end()));
  const std::vector<WindowAxis> axes = resolve(ctx, window, Dims(x.dims().begin() + 2, x.dims().end()));
  Geometry g{x.dim(0), x.dim(1), w.dim(0), ctx.node.int_or("group", 1), {}, {}, {}};
  g.w = axes[spatial - 1];
  if (spatial > 1) g.h = axes[spatial - 2];
  if (spatial > 2) g.d = axes[0];
  if (g.channels != w.dim(1) * g.group)
    ctx.fail("input channels do not match the weight", std::to_string(w.dim(1) * g.group), std::to_string(g.channels));
  Dims dims = {g.batch, g.outputs};
  for (const WindowAxis& axis : axes) dims.push_back(axis.out);
  const Tensor* b = bias.defined() ? &bias : nullptr;
  const Tensor y = compute == DType::kFloat64 ? convolve<double>(g, x, w, b, dims) : convolve<float>(g, x, w, b, dims);
  return {dtype == compute ? y : cast(y, dtype)};
}

std::int64_t macs(const Node&, std::span<const ValueFacts> in, std::span<const ValueFacts> out) {
  const Dims w = *in[1].shape.static_dims(), y = *out[0].shape.static_dims();
  return element_count(y) * (w[0] == 0 ? 0 : element_count(w) / w[0]);
}

/// Dense: inputs contract. Grouped: whole groups go together, C/g inputs and M/g outputs each.
std::vector<AxisRelation> axes(const AxesContext& ctx) {
  constexpr int kBatch = 0, kInputs = 1, kOutputs = 2;
  std::vector<AxisRelation> out = {input_axis(0, 0, kBatch), output_axis(0, 0, kBatch)};
  const std::int64_t group = ctx.node.int_or("group", 1);
  const Shape& w = ctx.inputs[1].shape;
  const bool has_bias = ctx.node.input(2) != kNoValue;
  if (group == 1) {
    out.push_back(input_axis(0, 1, kInputs, Kind::kContracted));
    out.push_back(input_axis(1, 1, kInputs, Kind::kContracted));
    out.push_back(input_axis(1, 0, kOutputs));
    out.push_back(output_axis(0, 1, kOutputs));
    if (has_bias) out.push_back(input_axis(2, 0, kOutputs));
  } else if (w.ranked() && w[0].is_known() && w[1].is_known()) {
    const std::int64_t per_group = w[0].value() / group;
    out.push_back(input_axis(0, 1, kOutputs, Kind::kSame, w[1].value()));
    out.push_back(input_axis(1, 0, kOutputs, Kind::kSame, per_group));
    out.push_back(output_axis(0, 1, kOutputs, Kind::kSame, per_group));
    if (has_bias) out.push_back(input_axis(2, 0, kOutputs, Kind::kSame, per_group));
  }
  return out;
}

}  // namespace

extern const Operator kConv = {
    .op_type = "Conv",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 3,
    .attributes = {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"},
    .infer = infer,
    .evaluate = evaluate,
    .macs = macs,
    .axes = axes,
};

}  // namespace pare::ir::ops
