#include "runtime/lower/product.h"

#include <cmath>

#include "runtime/lower/integer_forms.h"

namespace pare::runtime {

namespace {

constexpr double kManyZeros = 0.4;  ///< that the plan speaks of

float weight_scale(const QuantView& weight, std::int64_t channel) {
  return weight.scale[weight.per_tensor() ? 0 : static_cast<std::size_t>(channel)];
}

/// The bias at scale input · weight: as stored where it is quantized so, else rounded to it. nullopt when it does not
/// fit.
std::optional<std::vector<std::int32_t>> integer_bias(Lowerer& lw, const IntegerProduct& product,
                                                      std::int64_t outputs) {
  std::vector<std::int32_t> bias(static_cast<std::size_t>(outputs));
  if (product.bias == ir::kNoValue) return bias;
  const auto view = dequantized(lw.graph(), product.bias);
  const Tensor* stored = view ? lw.graph().constant(view->q) : nullptr;
  const Tensor real = lw.constant(product.bias);
  for (std::size_t c = 0; c < bias.size(); ++c) {
    const double unit =
        static_cast<double>(product.input.scale[0]) * weight_scale(product.weight, static_cast<std::int64_t>(c));
    const double own = view ? view->scale[view->per_tensor() ? 0 : c] : 0;
    double value = std::nearbyint(real.data<float>()[c] / unit);
    if (stored && std::abs(own - unit) <= 1e-5 * unit)
      value = static_cast<double>(stored->data<std::int32_t>()[c]) - view->zero_point[view->per_tensor() ? 0 : c];
    if (!(std::abs(value) < 1 << 30)) return std::nullopt;
    bias[c] = static_cast<std::int32_t>(value);
  }
  return bias;
}

/// Rounding a float bias costs half a unit of the sum; that must stay far below one step of the output.
bool bias_exact_enough(Lowerer& lw, const Group& group, const IntegerProduct& product, std::int64_t outputs) {
  const std::optional<QuantView>& quantize = group.first ? group.first : group.quantize;
  if (product.bias == ir::kNoValue || !lw.graph().constant(product.bias) || !quantize) return true;
  for (std::int64_t c = 0; c < outputs; ++c)
    if (product.input.scale[0] * weight_scale(product.weight, c) > 0.25f * quantize->scale[0]) return false;
  return true;
}

/// Multipliers, clamp, output type; all in output units (kernels/qconv/qconv.h).
void set_epilogue(const Clamp& clamp, IntegerTask& task) {
  const Group& group = task.group;
  const float out_scale = group.quantize ? group.quantize->scale[0] : 1.0f;
  const float own_scale = group.first ? group.first->scale[0] : out_scale;
  std::vector<float> multiplier;
  for (std::int64_t c = 0; c < task.shape.out_c; ++c)
    multiplier.push_back(static_cast<float>(static_cast<double>(task.product.input.scale[0]) *
                                            weight_scale(task.product.weight, c) / own_scale));
  task.multiplier = std::make_shared<const std::vector<float>>(std::move(multiplier));
  if (group.first) {
    const int lowest = (group.first->dtype == DType::kInt8 ? -128 : 0) - group.first->zero_point[0];
    task.epilogue.first = {own_scale / out_scale, static_cast<float>(lowest), static_cast<float>(lowest + 255)};
  }
  task.epilogue.lo = clamp.lo / out_scale;
  task.epilogue.hi = clamp.hi / out_scale;
  task.epilogue.output_type = group.quantize ? group.quantize->dtype : DType::kFloat32;
  task.epilogue.out_zero_point = group.quantize ? group.quantize->zero_point[0] : 0;
}

void set_weight(IntegerTask& task) {
  const QuantView& weight = task.product.weight;
  for (std::int64_t c = 0; c < task.shape.out_c; ++c)
    task.weight_zero_point.push_back(weight.zero_point[weight.per_tensor() ? 0 : static_cast<std::size_t>(c)]);
  if (task.shape.groups == 1 && task.weight().dtype() == DType::kInt8)
    task.facts = weight_facts(task.lw, task.group, task.shape, task.strides, task.weight());
}

/// A constant of an element for each output, which all pixels add, in output units; false: it is none.
bool set_shared(Lowerer& lw, const Group& group, ir::ValueId added, IntegerTask& task) {
  const Tensor real = added == ir::kNoValue || !group.first ? Tensor() : lw.constant(added);
  if (!real.defined() || static_cast<std::int64_t>(real.numel()) != task.shape.out_c) return false;
  const float out_scale = group.quantize ? group.quantize->scale[0] : 1.0f;
  std::vector<float> values(real.data<float>().begin(), real.data<float>().end());
  for (float& value : values) value /= out_scale;
  task.shared = std::make_shared<const std::vector<float>>(std::move(values));
  task.epilogue.residual_type = DType::kFloat32;
  task.epilogue.residual_shared = true;
  return true;
}

BufferId set_residual(Lowerer& lw, ir::ValueId added, Layout layout, kernels::QConvEpilogue& e, float out_scale) {
  if (added == ir::kNoValue) return kNoBuffer;
  const auto view = quantized_activation(lw.graph(), added);
  e.residual_type = view ? view->dtype : DType::kFloat32;
  e.residual_multiplier = (view ? view->scale[0] : 1.0f) / out_scale;
  e.residual_zero_point = view ? view->zero_point[0] : 0;
  return lw.read(view ? view->q : added, layout);
}

std::size_t bytes_of(DType type) { return type == DType::kUndefined ? 0 : static_cast<std::size_t>(bits(type) / 8); }

ProductBuffers buffers_of(const IntegerTask& task) {
  const kernels::ConvShape& s = task.shape;
  const auto outputs = static_cast<std::size_t>(s.pixels() * s.out_c);
  const DType added = task.shared ? DType::kUndefined : task.epilogue.residual_type;
  return {static_cast<std::size_t>(s.batch * s.in_h * s.in_w * s.in_c), outputs * bytes_of(added),
          outputs * bytes_of(task.epilogue.output_type)};
}

/// "87.5 % zeros (8:64), measured 52.1 µs against 231.0 µs (qconv__onednn)"
std::string reason_of(const IntegerTask& task, const Chosen& chosen) {
  std::string reason = chosen.form.reason;
  const auto append = [&](const std::string& text) { reason += (reason.empty() || text.empty() ? "" : "; ") + text; };
  if (task.facts && task.facts->sparsity() >= kManyZeros) append(task.facts->to_string());
  append(chosen.against);
  return reason;
}

}  // namespace

std::vector<onednn::PostOp> post_ops(const Group& group) {
  std::vector<onednn::PostOp> post;
  for (const Follow& follow : group.follow)
    post.push_back({follow.add != ir::kNoValue, follow.activation.op, follow.activation.params});
  return post;
}

ir::ValueId added_value(const Group& group) {
  for (const Follow& follow : group.follow)
    if (follow.add != ir::kNoValue) return follow.add;
  return ir::kNoValue;
}

std::optional<Clamp> final_clamp(const Group& group) {
  Clamp clamp;
  bool clamped = false;
  for (const Follow& follow : group.follow) {
    const auto bounds = follow.add == ir::kNoValue ? clamp_of(follow.activation) : std::nullopt;
    if (clamped || (follow.add == ir::kNoValue && !bounds)) return std::nullopt;
    if (!bounds) continue;
    clamp = *bounds;
    clamped = true;
  }
  return clamp;
}

std::optional<kernels::FloatEpilogue> float_epilogue(const Group& group, DType add, DType out) {
  kernels::FloatEpilogue e;
  e.output_type = out;
  std::size_t next = 0;
  const std::vector<Follow>& follow = group.follow;
  const auto is_activation = [&] { return next < follow.size() && follow[next].add == ir::kNoValue; };
  const bool all_clamp = final_clamp(group).has_value();
  if (!all_clamp && is_activation() && kernels::is_fused(follow[next].activation.op))
    e.activation = follow[next++].activation.op;
  if (next < follow.size() && follow[next].add != ir::kNoValue) {
    e.residual_type = add;
    ++next;
  }
  if (is_activation()) {
    const auto bounds = clamp_of(follow[next].activation);
    if (!bounds) return std::nullopt;
    e.lo = bounds->lo, e.hi = bounds->hi;
    ++next;
  }
  return next == follow.size() ? std::optional(e) : std::nullopt;
}

std::optional<std::string> lower_integer(Lowerer& lw, const Group& group, const kernels::ConvShape& shape,
                                         const kernels::FilterStrides& strides, Layout layout) {
  std::string why;
  const auto product = integer_product(lw.graph(), group, why);
  const auto clamp = final_clamp(group);
  if (!product || !clamp) return why.empty() ? "no integer form" : why;
  const auto bias = integer_bias(lw, *product, shape.out_c);
  if (!bias || !bias_exact_enough(lw, group, *product, shape.out_c))
    return "the bias cannot be held at the scale of input times weight";
  IntegerTask task{lw, group, *product, shape, strides, *bias, {}, {}, {}, {}, {}};
  set_epilogue(*clamp, task);
  set_weight(task);
  const ir::ValueId added = added_value(group);
  const bool shared = set_shared(lw, group, added, task);
  if (shared && !isa_available(Isa::kAmx)) return "oneDNN's product and the addition apart take less";
  const BufferId residual = set_residual(lw, shared ? ir::kNoValue : added, layout, task.epilogue,
                                         group.quantize ? group.quantize->scale[0] : 1.0f);
  const std::vector<Candidate> candidates = integer_candidates(task);
  if (group.first && !shared && isa_available(Isa::kAvx512Vnni) && candidates.front().kernel == "qconv" && candidates.size() == 1)
    return "oneDNN refuses to round the sum before it adds to it";
  std::optional<Chosen> chosen = choose_for_band(lw, group, shape, task.epilogue.output_type, candidates);
  if (!chosen) chosen = choose(lw, timing_key(task), candidates, buffers_of(task));
  const BufferId in = lw.read(product->input.q, layout), out = lw.write(group.output, layout);
  emit_product(lw, group, {.reason = reason_of(task, *chosen)}, chosen->form, shape, in, residual, out);
  return std::nullopt;
}

}  // namespace pare::runtime
