#include "runtime/lower/product.h"

#include <cmath>

#include "kernels/qdepthwise/qdepthwise.h"
#include "runtime/lower/sparse.h"

namespace pare::runtime {

namespace {

/// What an integer step holds at run time.
struct IntegerStep {
  std::shared_ptr<const kernels::QConvWeights> dense;
  std::shared_ptr<const kernels::QDepthwiseWeights> depthwise;
  std::shared_ptr<const onednn::IntegerProduct> library;  ///< oneDNN's
  SparseChoice sparse;                                    ///< one of the four is set
  kernels::ConvShape shape;
  kernels::QConvEpilogue epilogue;
  std::vector<float> multiplier;
  int threads = 1;

  std::string kernel() const {
    if (sparse.chosen()) return sparse.kernel_name();
    return library ? "qconv__onednn" : dense ? dense->kernel_name() : depthwise->kernel_name();
  }
  std::size_t bytes() const {
    if (sparse.chosen()) return sparse.bytes();
    return library ? library->weight_bytes() : dense ? dense->bytes() : depthwise->bytes();
  }
  std::size_t scratch_bytes() const {
    if (sparse.chosen()) return sparse.scratch_bytes(threads);
    return library ? library->scratch_bytes() : dense ? kernels::qconv_scratch_bytes(*dense, shape, threads) : 0;
  }
  void run(const void* in, const void* residual, void* out, std::byte* scratch) const {
    if (library) return library->run(in, residual, out, scratch);
    kernels::QConvEpilogue e = epilogue;
    e.multiplier = multiplier.data();
    e.residual = residual;
    if (sparse.chosen()) return sparse.run(shape, in, e, out, scratch, threads);
    if (dense)
      kernels::qconv(*dense, shape, in, e, out, scratch, threads);
    else
      kernels::qdepthwise(*depthwise, shape, in, e, out);
  }
};

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

bool is_depthwise(const kernels::ConvShape& s) { return s.groups > 1 && s.groups == s.in_c && s.groups == s.out_c; }

/// oneDNN's product where it is expected to be faster than our own kernels; nullptr otherwise. Its products without
/// VNNI saturate at 16 bits, and of few rows it repacks more than it computes (bench/peers; ResNet-50: 1.2 to 2.2 times
/// our tiles).
std::shared_ptr<const onednn::IntegerProduct> library_product(
    Lowerer& lw, const Group& group, const IntegerProduct& product, const kernels::FilterStrides& strides,
    const std::vector<std::int32_t>& bias, const kernels::QConvEpilogue& epilogue, const kernels::ConvShape& s) {
  constexpr std::int64_t kFewRows = 4;
  if (!isa_available(Isa::kAvx512Vnni) || s.pixels() < kFewRows) return nullptr;
  const Tensor& weight = *lw.graph().constant(product.weight.q);
  const std::vector<std::int32_t>& zero = product.weight.zero_point;
  const bool centred = std::all_of(zero.begin(), zero.end(), [](std::int32_t z) { return z == 0; });
  if (is_depthwise(s) || weight.dtype() != DType::kInt8 || !centred) return nullptr;
  const onednn::IntegerInput input{product.input.dtype, product.input.zero_point[0], bias.data()};
  const std::string& key = lw.main(group).name;
  std::string reason;
  if (weight.rank() == 2)
    return onednn::integer_matmul(key, s, weight, strides.i == 1, input, epilogue, lw.cache(), reason);
  return onednn::integer_convolution(key, s, weight, input, epilogue, lw.cache(), reason);
}

void pack(Lowerer& lw, const Group& group, const IntegerProduct& product, const kernels::FilterStrides& strides,
          const std::vector<std::int32_t>& bias, IntegerStep& step) {
  const Tensor& weight = *lw.graph().constant(product.weight.q);
  std::vector<std::int32_t> zero(static_cast<std::size_t>(step.shape.out_c));
  for (std::size_t c = 0; c < zero.size(); ++c)
    zero[c] = product.weight.zero_point[product.weight.per_tensor() ? 0 : c];
  const kernels::QConvFilter filter{weight.raw(), product.weight.dtype == DType::kUint8, strides, zero.data()};
  const std::string key = "integer " + lw.main(group).name;
  const std::int32_t in_zero = product.input.zero_point[0];
  const kernels::ConvShape& s = step.shape;
  if (is_depthwise(s)) {
    step.depthwise = lw.cache().get<kernels::QDepthwiseWeights>(key, weight, [&] {
      return std::make_shared<const kernels::QDepthwiseWeights>(
          kernels::QDepthwiseWeights::pack(s, filter, product.input.dtype, in_zero, bias.data()));
    });
  } else {
    using kernels::QConvWeights;
    step.dense = lw.cache().get_packed<QConvWeights>(
        QConvWeights::packing_key(s, filter, product.input.dtype, in_zero, bias.data()), weight,
        [&](kernels::PackedReader& reader) { return QConvWeights::view(s, product.input.dtype, in_zero, reader); },
        [&] { return QConvWeights::pack(s, filter, product.input.dtype, in_zero, bias.data()); });
  }
}

/// Multipliers, clamp, output type; all in output units (kernels/qconv/qconv.h).
void set_epilogue(const Group& group, const IntegerProduct& product, const Clamp& clamp, IntegerStep& step) {
  const float out_scale = group.quantize ? group.quantize->scale[0] : 1.0f;
  const float own_scale = group.first ? group.first->scale[0] : out_scale;
  for (std::int64_t c = 0; c < step.shape.out_c; ++c)
    step.multiplier.push_back(
        static_cast<float>(static_cast<double>(product.input.scale[0]) * weight_scale(product.weight, c) / own_scale));
  if (group.first) {
    const int lowest = (group.first->dtype == DType::kInt8 ? -128 : 0) - group.first->zero_point[0];
    step.epilogue.first = {own_scale / out_scale, static_cast<float>(lowest), static_cast<float>(lowest + 255)};
  }
  step.epilogue.lo = clamp.lo / out_scale;
  step.epilogue.hi = clamp.hi / out_scale;
  step.epilogue.output_type = group.quantize ? group.quantize->dtype : DType::kFloat32;
  step.epilogue.out_zero_point = group.quantize ? group.quantize->zero_point[0] : 0;
}

BufferId set_residual(Lowerer& lw, ir::ValueId added, Layout layout, float out_scale, IntegerStep& step) {
  if (added == ir::kNoValue) return kNoBuffer;
  kernels::QConvEpilogue& e = step.epilogue;
  const auto view = quantized_activation(lw.graph(), added);
  e.residual_type = view ? view->dtype : DType::kFloat32;
  e.residual_multiplier = (view ? view->scale[0] : 1.0f) / out_scale;
  e.residual_zero_point = view ? view->zero_point[0] : 0;
  return lw.read(view ? view->q : added, layout);
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

namespace {

/// What the plan's precision asks for: bfloat16 in; what is added as it lies there; out what its readers take.
onednn::ProductTypes wanted_types(Lowerer& lw, const Group& group) {
  onednn::ProductTypes types;
  if (!lw.narrow_products()) return types;
  const ir::ValueId added = added_value(group);
  types.in = DType::kBFloat16;
  if (added != ir::kNoValue && lw.lies_narrow(added)) types.add = DType::kBFloat16;
  if (lw.is_narrow(group.output)) types.out = DType::kBFloat16;
  return types;
}

void emit_library(Lowerer& lw, const Group& group, Layout layout, const onednn::ProductTypes& types, StepNote note,
                  std::shared_ptr<const onednn::Product> product) {
  const auto narrow = [](DType type) { return type == DType::kBFloat16; };
  const auto read = [&](ir::ValueId value, DType type) {
    return narrow(type) ? lw.read_narrow(value, layout) : lw.read(value, layout);
  };
  const ir::ValueId added = added_value(group);
  const BufferId in = read(lw.main(group).input(0), types.in);
  const BufferId add = added == ir::kNoValue ? kNoBuffer : read(added, types.add);
  const BufferId out = narrow(types.out) ? lw.write_narrow(group.output, layout) : lw.write(group.output, layout);
  const BufferId scratch = lw.scratch(product->scratch_bytes());
  std::vector<BufferId> reads = {in};
  if (add != kNoBuffer) reads.push_back(add);
  lw.emit(group, std::move(note), reads, {out, scratch}, [=](const Frame& frame) {
    product->run(frame.at(in), add == kNoBuffer ? nullptr : frame.at(add), frame.at(out), frame.at(scratch));
  });
}

}  // namespace

std::optional<std::string> lower_library(Lowerer& lw, const Group& group, Layout layout, const std::string& family,
                                         const std::string& remark, const MakeProduct& make) {
  std::string reason, refused;
  onednn::ProductTypes types = wanted_types(lw, group);
  std::shared_ptr<const onednn::Product> product = make(types, reason);
  if (!product && types.in == DType::kBFloat16) {
    refused = "in bfloat16 " + reason;
    types = {};
    product = make(types, reason);
  }
  if (!product) return reason;
  StepNote note{family + (types.in == DType::kBFloat16 ? "_bf16__onednn" : "_f32__onednn"), product->implementation(),
                static_cast<std::int64_t>(product->weight_bytes()), types.in};
  for (const std::string& more : {refused, remark})
    if (!more.empty()) note.reason += "; " + more;
  emit_library(lw, group, layout, types, std::move(note), std::move(product));
  return std::nullopt;
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
  IntegerStep step{.shape = shape, .threads = lw.threads()};
  set_epilogue(group, *product, *clamp, step);
  const BufferId residual =
      set_residual(lw, added_value(group), layout, group.quantize ? group.quantize->scale[0] : 1.0f, step);
  kernels::QConvEpilogue epilogue = step.epilogue;
  epilogue.multiplier = step.multiplier.data();
  step.library = library_product(lw, group, *product, strides, *bias, epilogue, shape);
  const bool amx = step.library && step.library->implementation().find("amx") != std::string::npos;
  step.sparse = choose_sparse(lw, group, *product, strides, *bias, shape, amx);
  if (step.sparse.chosen()) step.library = nullptr;
  if (group.first && !step.library && !step.sparse.chosen() && isa_available(Isa::kAvx512Vnni))
    return "oneDNN refuses to round the sum before it adds to it";
  if (!step.library && !step.sparse.chosen()) pack(lw, group, *product, strides, *bias, step);
  const BufferId in = lw.read(product->input.q, layout), out = lw.write(group.output, layout),
                 scratch = lw.scratch(step.scratch_bytes());
  std::vector<BufferId> reads = {in};
  if (residual != kNoBuffer) reads.push_back(residual);
  std::string reason = step.library     ? step.library->implementation()
                       : group.quantize ? "8-bit input, weight and output"
                                        : "8-bit input and weight, float output";
  if (const std::string& zeros = step.sparse.reason; !zeros.empty())
    reason = step.sparse.chosen() ? zeros : reason + "; " + zeros;
  const StepNote note{step.kernel(), reason, static_cast<std::int64_t>(step.bytes())};
  lw.emit(group, note, reads, {out, scratch}, [=, step = std::move(step)](const Frame& frame) {
    step.run(frame.at(in), residual == kNoBuffer ? nullptr : frame.at(residual), frame.at(out), frame.at(scratch));
  });
  return std::nullopt;
}

}  // namespace pare::runtime
