#include "ir/ops/common/resize.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"
#include "ir/ops/common/resize_taps.h"

namespace pare::ir::ops {
namespace {

constexpr std::int64_t kRoiSince = 11;

bool is_upsample(const Node& node) { return node.op_type == "Upsample"; }

/// Scales and sizes as far as they are known; an empty tensor stands for an omitted input.
struct Request {
  std::vector<std::int64_t> axes;
  std::optional<std::vector<double>> scales;
  std::optional<std::vector<Dim>> sizes;
};

template <class Context>
std::vector<std::int64_t> resized_axes(const Context& ctx, std::int64_t rank) {
  std::vector<std::int64_t> all, axes;
  for (std::int64_t i = 0; i < rank; ++i) all.push_back(i);
  for (std::int64_t axis : ctx.node.ints_or("axes", all)) axes.push_back(normalize_axis(ctx, axis, rank));
  return axes;
}

std::size_t scales_slot(std::int64_t opset, const Node& node) { return is_upsample(node) || opset < kRoiSince ? 1 : 2; }

std::vector<double> as_doubles(const std::vector<float>& values) { return {values.begin(), values.end()}; }

/// Output size and the scale that coordinates are computed with.
struct Size {
  std::int64_t out;
  double scale;
};

std::int64_t round_half_up(double x) { return static_cast<std::int64_t>(std::floor(x + 0.5)); }

template <class Context>
void check_scale(const Context& ctx, double scale) {
  if (!(scale > 0 && scale < 1e9)) ctx.fail("scale is out of range", "above 0", std::to_string(scale));
}

template <class Context>
Size size_from_scale(const Context& ctx, std::int64_t in, double scale) {
  check_scale(ctx, scale);
  return {static_cast<std::int64_t>(std::floor(static_cast<double>(in) * scale)), scale};
}

/// keep_aspect_ratio_policy: one scale for all axes, the smallest or largest that the sizes ask for.
double common_scale(const Node& node, const std::vector<std::int64_t>& in, const std::vector<std::int64_t>& sizes) {
  const bool smallest = node.string_or("keep_aspect_ratio_policy", "stretch") == "not_larger";
  double scale = static_cast<double>(sizes[0]) / static_cast<double>(in[0]);
  for (std::size_t i = 1; i < in.size(); ++i) {
    const double own = static_cast<double>(sizes[i]) / static_cast<double>(in[i]);
    scale = smallest ? std::min(scale, own) : std::max(scale, own);
  }
  return scale;
}

template <class Context>
std::vector<Size> sizes_for(const Context& ctx, const std::vector<std::int64_t>& in,
                            const std::vector<std::int64_t>& sizes) {
  std::vector<Size> out;
  const bool stretch = ctx.node.string_or("keep_aspect_ratio_policy", "stretch") == "stretch";
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (sizes[i] < 0) ctx.fail("size is out of range", "0 or more", std::to_string(sizes[i]));
    if (in[i] == 0 && sizes[i] != 0) ctx.fail("an empty axis cannot grow", "0", std::to_string(sizes[i]));
    out.push_back({sizes[i], in[i] == 0 ? 1 : static_cast<double>(sizes[i]) / static_cast<double>(in[i])});
  }
  if (stretch || in.empty() || std::ranges::find(in, 0) != in.end()) return out;
  const double scale = common_scale(ctx.node, in, sizes);
  for (std::size_t i = 0; i < in.size(); ++i) out[i] = {round_half_up(scale * static_cast<double>(in[i])), scale};
  return out;
}

template <class Context>
void require_length(const Context& ctx, const char* what, std::size_t expected, std::size_t got) {
  if (expected != got)
    ctx.fail(std::string(what) + " have the wrong length", std::to_string(expected), std::to_string(got));
}

TapRule rule_of(const EvaluateContext& ctx) {
  TapRule rule;
  const Node& node = ctx.node;
  rule.mode = node.string_or("mode", "nearest");
  if (rule.mode == "bilinear") rule.mode = "linear";  // Upsample's older name
  const bool old = is_upsample(node) || ctx.opset < kRoiSince;
  rule.transform = old ? "asymmetric" : node.string_or("coordinate_transformation_mode", "half_pixel");
  rule.nearest = old ? "floor" : node.string_or("nearest_mode", "round_prefer_floor");
  rule.cubic_a = node.float_or("cubic_coeff_a", -0.75F);
  rule.exclude_outside = node.int_or("exclude_outside", 0) != 0;
  rule.antialias = node.int_or("antialias", 0) != 0;
  return rule;
}

void require_known(const InferContext& ctx, const char* attribute, const char* fallback,
                   std::initializer_list<const char*> known) {
  const std::string value = ctx.node.string_or(attribute, fallback);
  std::string list;
  for (const char* name : known) {
    if (value == name) return;
    list += std::string(list.empty() ? "" : ", ") + name;
  }
  ctx.fail(std::string("attribute '") + attribute + "' is not known", list, value);
}

void check_attributes(const InferContext& ctx) {
  require_known(ctx, "mode", "nearest", {"nearest", "linear", "bilinear", "cubic"});
  require_known(ctx, "coordinate_transformation_mode", "half_pixel",
                {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
                 "tf_crop_and_resize", "tf_half_pixel_for_nn"});
  require_known(ctx, "nearest_mode", "round_prefer_floor",
                {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
  require_known(ctx, "keep_aspect_ratio_policy", "stretch", {"stretch", "not_larger", "not_smaller"});
}

Request read_request(const InferContext& ctx, std::int64_t rank) {
  Request out;
  out.axes = resized_axes(ctx, rank);
  if (is_upsample(ctx.node) && ctx.opset < 9) {
    out.scales = as_doubles(ctx.node.floats_or("scales", {}));
    return out;
  }
  const std::size_t slot = scales_slot(ctx.opset, ctx.node);
  const Tensor* scales = ctx.in(slot).constant;
  if (ctx.has(slot) && scales != nullptr && scales->numel() > 0) out.scales = to_doubles(*scales);
  if (!is_upsample(ctx.node) && ctx.opset >= kRoiSince && ctx.has(3)) {
    out.sizes = known_dims(ctx, 3);
    if (out.sizes && out.sizes->empty()) out.sizes.reset();
  }
  return out;
}

void infer_scaled(InferContext& ctx, const Request& request, std::vector<Dim>& dims) {
  require_length(ctx, "scales", request.axes.size(), request.scales->size());
  for (std::size_t i = 0; i < request.axes.size(); ++i) {
    Dim& dim = dims[static_cast<std::size_t>(request.axes[i])];
    const double scale = (*request.scales)[i];
    check_scale(ctx, scale);
    if (dim.is_known())
      dim = Dim(size_from_scale(ctx, dim.value(), scale).out);
    else if (scale != 1)
      dim = Dim();
  }
}

void infer_sized(InferContext& ctx, const Request& request, std::vector<Dim>& dims) {
  require_length(ctx, "sizes", request.axes.size(), request.sizes->size());
  std::vector<std::int64_t> in, sizes;
  for (std::size_t i = 0; i < request.axes.size(); ++i) {
    const Dim &dim = dims[static_cast<std::size_t>(request.axes[i])], &size = (*request.sizes)[i];
    if (dim.is_known() && size.is_known()) {
      in.push_back(dim.value());
      sizes.push_back(size.value());
    }
  }
  const bool stretch = ctx.node.string_or("keep_aspect_ratio_policy", "stretch") == "stretch",
             complete = in.size() == request.axes.size();
  const std::vector<Size> resized = complete ? sizes_for(ctx, in, sizes) : std::vector<Size>{};
  for (std::size_t i = 0; i < request.axes.size(); ++i) {
    Dim& dim = dims[static_cast<std::size_t>(request.axes[i])];
    dim = complete ? Dim(resized[i].out) : stretch ? (*request.sizes)[i] : Dim();
  }
}

/// Sizes of the resized axes for concrete inputs.
std::vector<Size> requested_sizes(const EvaluateContext& ctx, const std::vector<std::int64_t>& axes, const Dims& x) {
  std::vector<std::int64_t> in;
  for (std::int64_t axis : axes) in.push_back(x[static_cast<std::size_t>(axis)]);
  const std::size_t slot = scales_slot(ctx.opset, ctx.node);
  const bool by_attribute = is_upsample(ctx.node) && ctx.opset < 9;
  if (by_attribute || (ctx.has(slot) && ctx.in(slot).numel() > 0)) {
    const std::vector<double> scales =
        by_attribute ? as_doubles(ctx.node.floats_or("scales", {})) : to_doubles(ctx.in(slot));
    require_length(ctx, "scales", axes.size(), scales.size());
    std::vector<Size> out;
    for (std::size_t i = 0; i < in.size(); ++i) out.push_back(size_from_scale(ctx, in[i], scales[i]));
    return out;
  }
  if (!ctx.has(3) || ctx.in(3).numel() == 0) ctx.fail("neither scales nor sizes are given");
  const std::vector<std::int64_t> sizes = to_ints(ctx.in(3));
  require_length(ctx, "sizes", axes.size(), sizes.size());
  return sizes_for(ctx, in, sizes);
}

Tensor resize_nearest(const Tensor& x, const ResizePlan& plan, const Tensor& extrapolation) {
  const Dims to = strides_of(plan.dims), from = strides_of(x.dims());
  const Tensor sources[] = {x, extrapolation};
  return pick(sources, plan.dims, [&](std::int64_t i) {
    std::int64_t source = 0;
    for (std::size_t a = 0; a < plan.axes.size(); ++a) {
      const auto at = static_cast<std::size_t>(i / to[a] % plan.dims[a]);
      if (plan.axes[a].identity) {
        source += static_cast<std::int64_t>(at) * from[a];
        continue;
      }
      if (plan.extrapolates && plan.axes[a].outside[at]) return std::pair<std::size_t, std::int64_t>(1, 0);
      source += plan.axes[a].index[at] * from[a];
    }
    return std::pair<std::size_t, std::int64_t>(0, source);
  });
}

/// One axis of `values`, whose shape is `dims`; both become the result's.
void resize_axis(const AxisTaps& taps, std::size_t axis, std::int64_t size, Dims& dims, std::vector<double>& values) {
  std::int64_t inner = 1, outer = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) (i < axis ? outer : inner) *= i == axis ? 1 : dims[i];
  const std::int64_t in = dims[axis];
  std::vector<double> out(static_cast<std::size_t>(outer * size * inner));
  for (std::int64_t n = 0; n < outer; ++n) {
    for (std::int64_t o = 0; o < size; ++o) {
      double* line = out.data() + (n * size + o) * inner;
      for (std::int64_t t = taps.first[static_cast<std::size_t>(o)]; t < taps.first[static_cast<std::size_t>(o) + 1];
           ++t) {
        const double weight = taps.weight[static_cast<std::size_t>(t)];
        const double* source = values.data() + (n * in + taps.index[static_cast<std::size_t>(t)]) * inner;
        for (std::int64_t i = 0; i < inner; ++i) line[i] += weight * source[i];
      }
    }
  }
  dims[axis] = size;
  values = std::move(out);
}

void extrapolate(const ResizePlan& plan, std::vector<double>& values) {
  const Dims strides = strides_of(plan.dims);
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t a = 0; a < plan.axes.size(); ++a) {
      const auto at = static_cast<std::size_t>(static_cast<std::int64_t>(i) / strides[a] % plan.dims[a]);
      if (!plan.axes[a].identity && plan.axes[a].outside[at]) values[i] = plan.extrapolation;
    }
  }
}

}  // namespace

void infer_resize(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  check_attributes(ctx);
  if (!x.ranked()) return;
  const Request request = read_request(ctx, x.rank());
  std::vector<Dim> dims = x.dims();
  if (request.scales) {
    infer_scaled(ctx, request, dims);
  } else if (request.sizes) {
    infer_sized(ctx, request, dims);
  } else {
    for (std::int64_t axis : request.axes) dims[static_cast<std::size_t>(axis)] = Dim();
  }
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
}

ResizePlan plan_resize(const EvaluateContext& ctx, const Dims& x) {
  const auto rank = static_cast<std::int64_t>(x.size());
  const TapRule rule = rule_of(ctx);
  const std::vector<std::int64_t> axes = resized_axes(ctx, rank);
  const std::vector<Size> sizes = requested_sizes(ctx, axes, x);
  ResizePlan plan{x, std::vector<AxisTaps>(x.size())};
  plan.nearest = rule.mode == "nearest";
  plan.extrapolates = rule.transform == "tf_crop_and_resize";
  plan.extrapolation = ctx.node.float_or("extrapolation_value", 0);
  std::vector<double> roi;
  if (plan.extrapolates) {
    if (!ctx.has(1)) ctx.fail("tf_crop_and_resize needs the input 'roi'");
    roi = to_doubles(ctx.in(1));
    require_length(ctx, "roi", 2 * axes.size(), roi.size());
  }
  for (std::size_t i = 0; i < axes.size(); ++i) plan.dims[static_cast<std::size_t>(axes[i])] = sizes[i].out;
  require_room(ctx, plan.dims);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(axes[i]);
    ResizedAxis geometry{x[axis], sizes[i].out, sizes[i].scale};
    if (plan.extrapolates) {
      geometry.roi_start = roi[i];
      geometry.roi_end = roi[i + axes.size()];
    }
    plan.axes[axis] = make_taps(rule, geometry);
  }
  return plan;
}

std::vector<Tensor> evaluate_resize(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const ResizePlan plan = plan_resize(ctx, x.dims());
  if (plan.nearest) {
    const Tensor extrapolation = x.dtype() == DType::kString
                                     ? Tensor::strings({1}, {""})
                                     : from_doubles(x.dtype(), {1}, std::vector<double>{plan.extrapolation});
    return {resize_nearest(x, plan, extrapolation)};
  }
  std::vector<double> values = to_doubles(x);
  Dims dims = x.dims();
  for (std::size_t a = dims.size(); a-- > 0;) {
    if (!plan.axes[a].identity) resize_axis(plan.axes[a], a, plan.dims[a], dims, values);
  }
  if (plan.extrapolates) extrapolate(plan, values);
  return {from_doubles(x.dtype(), plan.dims, values)};
}

std::vector<AxisRelation> axes_resize(const AxesContext& ctx) {
  const Shape &x = ctx.inputs[0].shape, &y = ctx.outputs[0].shape;
  std::vector<std::int64_t> changed;
  for (std::int64_t axis = 0; x.ranked() && y.ranked() && axis < x.rank(); ++axis) {
    if (!x[axis].same_as(y[axis])) changed.push_back(axis);
  }
  return axes_all_but(ctx, changed);
}

}  // namespace pare::ir::ops
