// ConvTranspose: the transpose of Conv as a linear map: every input element adds its kernel to the output, which pads
// crop. Weights are [C, M/group, kernel…]; up to three spatial axes.
#include <algorithm>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"
#include "ir/ops/common/spread.h"
#include "ir/refusal.h"

namespace pare::ir::ops {
namespace {

std::int64_t group_of(const auto& ctx) {
  const std::int64_t group = ctx.node.int_or("group", 1);
  if (group < 1) ctx.fail("attribute 'group' is out of range", "1 or more", std::to_string(group));
  return group;
}

/// Output channels, after checking the weight and bias.
Dim outputs_of(const InferContext& ctx, std::int64_t group) {
  const Shape &x = ctx.in(0).shape, &w = ctx.in(1).shape, &bias = ctx.in(2).shape;
  if (!w.ranked()) return {};
  if (w.rank() != x.rank()) ctx.fail("weight has the wrong rank", std::to_string(x.rank()), to_string(w));
  const Dim channels = require_same(ctx, x[1], w[0], "input channels do not match the weight");
  if (channels.is_known() && channels.value() % group != 0)
    ctx.fail("input channels are not a multiple of group", "a multiple of " + std::to_string(group),
             to_string(channels));
  const Dim outputs = w[1].is_known() ? Dim(w[1].value() * group) : Dim();
  if (ctx.has(2) && bias.ranked()) {
    if (bias.rank() != 1) ctx.fail("bias has the wrong rank", "1", to_string(bias));
    return require_same(ctx, outputs, bias[0], "bias length differs from the output channels");
  }
  return outputs;
}

void infer(InferContext& ctx) {
  require_same_type(ctx);
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  if (!x.ranked()) return;
  require_rank_at_least(ctx, 0, 3);
  std::vector<Dim> out(static_cast<std::size_t>(x.rank()));
  out[0] = x[0];
  out[1] = outputs_of(ctx, group_of(ctx));
  const std::vector<std::int64_t> kernel = weight_kernel(ctx, x.rank() - 2);
  if (static_cast<std::int64_t>(kernel.size()) == x.rank() - 2) {
    const SpreadRule rule = read_spread(ctx, kernel);
    for (std::size_t i = 0; i < kernel.size(); ++i) {
      const Dim& in = x[static_cast<std::int64_t>(i) + 2];
      out[i + 2] = spread_output(ctx, rule, i, in);
    }
  }
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(out)));
}

/// Adds one input plane, times one kernel, to one output plane; three spatial axes.
void scatter_plane(const double* x, const double* w, const Spread& d, const Spread& h, const Spread& s, double* y) {
  for (std::int64_t kd = 0; kd < d.kernel; ++kd) {
    for (std::int64_t id = 0; id < d.in; ++id) {
      const std::int64_t od = id * d.stride - d.pad + kd * d.dilation;
      if (od < 0 || od >= d.out) continue;
      for (std::int64_t kh = 0; kh < h.kernel; ++kh) {
        for (std::int64_t ih = 0; ih < h.in; ++ih) {
          const std::int64_t oh = ih * h.stride - h.pad + kh * h.dilation;
          if (oh < 0 || oh >= h.out) continue;
          const double* line = x + (id * h.in + ih) * s.in;
          double* out = y + (od * h.out + oh) * s.out;
          for (std::int64_t kw = 0; kw < s.kernel; ++kw) {
            const double weight = w[(kd * h.kernel + kh) * s.kernel + kw];
            const std::int64_t shift = kw * s.dilation - s.pad;
            for (std::int64_t iw = 0; iw < s.in; ++iw) {
              const std::int64_t ow = iw * s.stride + shift;
              if (ow >= 0 && ow < s.out) out[ow] += weight * line[iw];
            }
          }
        }
      }
    }
  }
}

std::vector<Spread> geometry_of(const EvaluateContext& ctx) {
  const Tensor &x = ctx.in(0), &w = ctx.in(1);
  if (x.rank() < 3 || x.rank() > 5)
    refuse(ctx, "ConvTranspose with this many spatial axes", "1 to 3", std::to_string(x.rank() - 2));
  if (w.rank() != x.rank()) ctx.fail("weight has the wrong rank", std::to_string(x.rank()), to_string(w.dims()));
  const SpreadRule rule = read_spread(ctx, Dims(w.dims().begin() + 2, w.dims().end()));
  return resolve(ctx, rule, Dims(x.dims().begin() + 2, x.dims().end()));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor &x = ctx.in(0), &w = ctx.in(1);
  std::vector<Spread> axes = geometry_of(ctx);
  const std::int64_t group = group_of(ctx), channels = x.dim(1), per_group = w.dim(1), outputs = per_group * group;
  if (channels != w.dim(0) || channels % group != 0)
    ctx.fail("input channels do not match the weight", std::to_string(w.dim(0)), std::to_string(channels));
  Dims dims = {x.dim(0), outputs};
  for (const Spread& axis : axes) dims.push_back(axis.out);
  require_room(ctx, dims);
  axes.insert(axes.begin(), 3 - axes.size(), Spread{1, 1, 1, 1, 1, 0});
  const Spread &d = axes[0], &h = axes[1], &s = axes[2];
  const std::int64_t in_plane = d.in * h.in * s.in, out_plane = d.out * h.out * s.out,
                     taps = d.kernel * h.kernel * s.kernel;
  const std::vector<double> xs = to_doubles(x), ws = to_doubles(w),
                            bias = ctx.has(2) ? to_doubles(ctx.in(2)) : std::vector<double>{};
  if (!bias.empty() && static_cast<std::int64_t>(bias.size()) != outputs)
    ctx.fail("bias length differs from the output channels", std::to_string(outputs), std::to_string(bias.size()));
  std::vector<double> out(static_cast<std::size_t>(element_count(dims)));
  for (std::int64_t n = 0; n < x.dim(0); ++n) {
    for (std::int64_t m = 0; m < outputs; ++m) {
      double* y = out.data() + (n * outputs + m) * out_plane;
      if (!bias.empty()) std::fill(y, y + out_plane, bias[static_cast<std::size_t>(m)]);
      const std::int64_t g = m / per_group;
      for (std::int64_t c = g * channels / group; c < (g + 1) * channels / group; ++c)
        scatter_plane(xs.data() + (n * channels + c) * in_plane, ws.data() + (c * per_group + m % per_group) * taps, d,
                      h, s, y);
    }
  }
  return {from_doubles(x.dtype(), dims, out)};
}

/// Every input element meets every tap of its group's outputs (borders included, as Conv counts them).
std::int64_t macs(const Node&, std::span<const ValueFacts> in, std::span<const ValueFacts>) {
  const Dims x = *in[0].shape.static_dims(), w = *in[1].shape.static_dims();
  return element_count(x) * (w[0] == 0 ? 0 : element_count(w) / w[0]);
}

std::vector<AxisRelation> axes(const AxesContext& ctx) {
  constexpr int kBatch = 0, kInputs = 1, kOutputs = 2;
  std::vector<AxisRelation> out = {input_axis(0, 0, kBatch), output_axis(0, 0, kBatch)};
  const std::int64_t group = ctx.node.int_or("group", 1);
  const Shape& w = ctx.inputs[1].shape;
  const bool has_bias = ctx.node.input(2) != kNoValue;
  if (group == 1) {
    out.push_back(input_axis(0, 1, kInputs, Kind::kContracted));
    out.push_back(input_axis(1, 0, kInputs, Kind::kContracted));
    out.push_back(input_axis(1, 1, kOutputs));
    out.push_back(output_axis(0, 1, kOutputs));
    if (has_bias) out.push_back(input_axis(2, 0, kOutputs));
  } else if (w.ranked() && w[0].is_known() && w[1].is_known()) {
    const std::int64_t inputs = w[0].value() / group, outputs = w[1].value();
    out.push_back(input_axis(0, 1, kOutputs, Kind::kSame, inputs));
    out.push_back(input_axis(1, 0, kOutputs, Kind::kSame, inputs));
    out.push_back(output_axis(0, 1, kOutputs, Kind::kSame, outputs));
    if (has_bias) out.push_back(input_axis(2, 0, kOutputs, Kind::kSame, outputs));
  }
  return out;
}

}  // namespace

extern const Operator kConvTranspose = {
    .op_type = "ConvTranspose",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 3,
    .attributes = {"auto_pad", "dilations", "group", "kernel_shape", "output_padding", "output_shape", "pads",
                   "strides"},
    .infer = infer,
    .evaluate = evaluate,
    .macs = macs,
    .axes = axes,
};

}  // namespace pare::ir::ops
