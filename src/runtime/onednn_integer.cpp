// oneDNN's integer convolution and matrix product. Its post-ops apply to output_scale · (sum + bias). One that adds to
// what the output holds knows a scale, r_mult; one that adds a tensor of its own knows none, nor a zero point, so
//   v = sum · multiplier + (r − r_zp) · r_mult   is written as   ((sum · multiplier / r_mult) + r) · r_mult − r_zp ·
//   r_mult
// and where the sum is quantized first, as   (rint(clip(sum · multiplier)) · (first / r_mult) + r) · r_mult − r_zp ·
// r_mult
#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "pare/error.h"
#include "runtime/onednn_internal.h"

namespace pare::runtime::onednn {
namespace {

using dnnl::algorithm;
using dnnl::memory;

memory::data_type data_type(DType type) {
  switch (type) {
    case DType::kUint8:
      return memory::data_type::u8;
    case DType::kInt8:
      return memory::data_type::s8;
    default:
      return memory::data_type::f32;
  }
}

/// The output holds the residual, as 8-bit numbers of its own or the other sign, or in its own type.
bool may_hold(const kernels::QConvEpilogue& e) {
  if (e.residual_type == DType::kUndefined) return false;
  return (e.residual_type == DType::kFloat32) == (e.output_type == DType::kFloat32);
}

/// The post-ops of an epilogue, in order. oneDNN 2.6 mixes up the parameters of two element-wise post-ops of one
/// algorithm, so each appears once at most; the zero point may have to be the output's attribute, which is slower.
class PostOps {
 public:
  PostOps(const kernels::QConvEpilogue& e, const memory::desc& residual, bool in_place = false) : in_place_(in_place) {
    const float zero = e.output_type == DType::kFloat32 ? 0.0f : static_cast<float>(e.out_zero_point);
    if (e.first.multiplier != 0) {
      ops_.append_eltwise(1.0f, algorithm::eltwise_clip_v2, e.first.lo, e.first.hi);  // not the algorithm of the clamp
      ops_.append_eltwise(1.0f, algorithm::eltwise_round, 0, 0);
      if (!in_place) ops_.append_binary(algorithm::binary_mul, one_float(residual.data.ndims));
    }
    if (in_place) {
      linear(e.first.multiplier != 0 ? e.first.multiplier : 1,
             zero - static_cast<float>(e.residual_zero_point) * e.residual_multiplier);
      ops_.append_sum(e.residual_multiplier, 0, data_type(e.residual_type));
      if (clamps(e)) ops_.append_eltwise(1.0f, algorithm::eltwise_clip, e.lo + zero, e.hi + zero);
      return;
    }
    if (e.residual_type != DType::kUndefined) {
      residual_at_ = ops_.len();
      ops_.append_binary(algorithm::binary_add, residual);
      factor_ = e.residual_multiplier;
      shift_ = -static_cast<float>(e.residual_zero_point) * e.residual_multiplier;
    }
    if (!clamps(e)) {
      linear(factor_, shift_ + zero);
      return;
    }
    const bool scaled = linear(factor_, shift_);
    ops_.append_eltwise(1.0f, algorithm::eltwise_clip, e.lo, e.hi);
    if (scaled)
      out_zero_point_ = static_cast<std::int32_t>(zero);
    else
      linear(1, zero);
  }

  const dnnl::post_ops& ops() const { return ops_; }
  std::int32_t out_zero_point() const { return out_zero_point_; }
  int residual_at() const { return residual_at_; }  ///< which post-op adds the residual
  bool in_place() const { return in_place_; }       ///< the output holds it

  static memory::desc one_float(int rank) {
    const memory::dims dims(static_cast<std::size_t>(rank), 1);
    return {dims, memory::data_type::f32, rank == 4 ? memory::format_tag::nhwc : memory::format_tag::ab};
  }

 private:
  /// The clamp does more than the saturation of an 8-bit type does by itself.
  static bool clamps(const kernels::QConvEpilogue& e) {
    if (e.output_type == DType::kFloat32) return std::isfinite(e.lo) || std::isfinite(e.hi);
    const auto lowest = static_cast<float>((e.output_type == DType::kInt8 ? -128 : 0) - e.out_zero_point);
    return e.lo > lowest || e.hi < lowest + 255;
  }
  bool linear(float factor, float shift) {
    const bool needed = factor != 1 || shift != 0;
    if (needed) ops_.append_eltwise(1.0f, algorithm::eltwise_linear, factor, shift);
    return needed;
  }

  dnnl::post_ops ops_;
  float factor_ = 1, shift_ = 0;  ///< of the addition: v = (v + r) · factor + shift
  std::int32_t out_zero_point_ = 0;
  int residual_at_ = 0;
  bool in_place_ = false;
};

dnnl::primitive_attr attributes(const kernels::QConvEpilogue& e, std::int64_t channels, const PostOps& post) {
  std::vector<float> scales(e.multiplier, e.multiplier + channels);
  if (e.residual_type != DType::kUndefined && e.first.multiplier == 0 && !post.in_place())
    for (float& scale : scales) scale /= e.residual_multiplier;
  dnnl::primitive_attr attr;
  attr.set_output_scales(1 << 1, scales);
  attr.set_post_ops(post.ops());
  if (post.out_zero_point() != 0) attr.set_zero_points(DNNL_ARG_DST, 0, {DNNL_RUNTIME_S32_VAL});
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

memory::desc residual_desc(const kernels::QConvEpilogue& e, const memory::dims& dims, memory::format_tag layout) {
  return e.residual_type == DType::kUndefined ? memory::desc() : memory::desc(dims, data_type(e.residual_type), layout);
}

/// Weights, sums' bias and the zero point that a product holds.
struct Constants {
  std::shared_ptr<const memory> weights;
  kernels::PackedArray<std::int32_t> bias;
  memory::desc bias_desc;
  std::int32_t zero_point = 0;  ///< of the input; 0 where it is folded into the bias
  std::int32_t out_zero_point = 0;
  int residual_at = 0;    ///< which post-op adds the residual
  float first = 0;        ///< what a sum that is quantized first is multiplied with; 0: it is not, or by a post-op
  bool in_place = false;  ///< the output holds the residual

  void take(const PostOps& post, const kernels::QConvEpilogue& e) {
    out_zero_point = post.out_zero_point();
    residual_at = post.residual_at();
    in_place = post.in_place();
    if (e.first.multiplier != 0 && !in_place) first = e.first.multiplier / e.residual_multiplier;
  }
};

template <class Descriptor>
class DnnlIntegerProduct final : public IntegerProduct {
 public:
  DnnlIntegerProduct(const Descriptor& desc, Constants constants, memory::desc residual)
      : desc_(desc), primitive_(desc), constants_(std::move(constants)), residual_(std::move(residual)) {}

  void run(const void* in, const void* residual, void* out, std::byte* scratch) const override {
    std::unordered_map<int, memory> arguments = {{DNNL_ARG_SRC, view(desc_.src_desc(), in)},
                                                 {DNNL_ARG_WEIGHTS, *constants_.weights},
                                                 {DNNL_ARG_DST, view(desc_.dst_desc(), out)},
                                                 {DNNL_ARG_SCRATCHPAD, view(desc_.scratchpad_desc(), scratch)}};
    if (!constants_.bias.empty()) arguments.emplace(DNNL_ARG_BIAS, view(constants_.bias_desc, constants_.bias.data()));
    const int at = constants_.residual_at;
    if (constants_.in_place && residual != out) std::memcpy(out, residual, residual_.get_size());
    if (residual && !constants_.in_place)
      arguments.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(at) | DNNL_ARG_SRC_1, view(residual_, residual));
    if (constants_.first != 0)
      arguments.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(at - 1) | DNNL_ARG_SRC_1,
                        view(PostOps::one_float(residual_.data.ndims), &constants_.first));
    const memory::desc one({1}, memory::data_type::s32, memory::format_tag::x);
    if (constants_.zero_point != 0)
      arguments.emplace(DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC, view(one, &constants_.zero_point));
    if (constants_.out_zero_point != 0)
      arguments.emplace(DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_DST, view(one, &constants_.out_zero_point));
    dnnl::stream stream(engine());
    primitive_.execute(stream, arguments);
    stream.wait();
  }
  std::size_t scratch_bytes() const override { return desc_.scratchpad_desc().get_size(); }
  std::size_t weight_bytes() const override {
    return constants_.weights->get_desc().get_size() + 4 * constants_.bias.size();
  }
  std::string implementation() const override { return desc_.impl_info_str(); }
  bool adds_in_place() const override { return constants_.in_place; }

 private:
  Descriptor desc_;
  dnnl::primitive primitive_;
  Constants constants_;
  memory::desc residual_;
};

std::vector<std::int32_t> fold(const Tensor& weight, const kernels::FilterStrides& strides,
                               const kernels::ConvShape& s, std::int32_t zero_point,
                               const kernels::PackedArray<std::int32_t>& bias) {
  std::vector<std::int32_t> folded(bias.data(), bias.data() + bias.size());
  folded.resize(static_cast<std::size_t>(s.out_c));
  const auto* w = reinterpret_cast<const std::int8_t*>(weight.raw());
  for (std::int64_t o = 0; o < s.out_c; ++o) {
    std::int32_t sum = 0;
    for (std::int64_t i = 0; i < s.group_in(); ++i)
      for (std::int64_t tap = 0; tap < s.taps(); ++tap)
        sum += w[o * strides.o + i * strides.i + tap / s.kw * strides.y + tap % s.kw * strides.x];
    folded[static_cast<std::size_t>(o)] -= zero_point * sum;
  }
  return folded;
}

/// What files hold of it, so that loading one need not read the weights that it is a sum of.
struct FoldedBias {
  kernels::PackedArray<std::int32_t> values;

  const char* kernel_name() const { return "onednn bias"; }
  void write(kernels::PackedWriter& writer) const { writer.array(values); }
};

/// bias − zero_point · Σ weights of each output; exact where no window reaches into padding.
kernels::PackedArray<std::int32_t> folded_bias(const Tensor& weight, const kernels::FilterStrides& strides,
                                               const kernels::ConvShape& s, std::int32_t zero_point,
                                               const kernels::PackedArray<std::int32_t>& bias, WeightCache& cache) {
  kernels::PackingKey key("onednn bias", 1, "");
  key.add(s.out_c, s.group_in(), s.kh, s.kw, strides.o, strides.i, strides.y, strides.x, zero_point);
  key.add_array(bias.empty() ? nullptr : bias.data(), static_cast<std::int64_t>(bias.size()));
  const auto folded = cache.get_packed<FoldedBias>(
      key.text(), weight,
      [&](kernels::PackedReader& reader) -> std::optional<FoldedBias> {
        FoldedBias found{reader.array<std::int32_t>(static_cast<std::size_t>(s.out_c))};
        return reader.finished() ? std::optional(std::move(found)) : std::nullopt;
      },
      [&] { return FoldedBias{kernels::PackedArray<std::int32_t>(fold(weight, strides, s, zero_point, bias))}; });
  return {folded->values.data(), folded->values.size(), folded};
}

/// `complete` adds what is made of the weights.
template <class Descriptor, class Complete>
IntegerOffer offer(const Descriptor& desc, Constants constants, const memory::desc& residual, Complete complete) {
  return {desc.impl_info_str(),
          [=, constants = std::move(constants)]() mutable -> std::shared_ptr<const IntegerProduct> {
            try {
              Constants whole = constants;
              complete(whole);
              return std::make_shared<const DnnlIntegerProduct<Descriptor>>(desc, std::move(whole), residual);
            } catch (const dnnl::error& error) {
              throw Error(ErrorCode::kInternal, "oneDNN", std::string("makes no kernel that it offers: ") + error.message);
            }
          }};
}

kernels::PackedArray<std::int32_t> copied(const std::int32_t* bias, std::int64_t count) {
  if (!bias) return {};
  return kernels::PackedArray<std::int32_t>(std::vector<std::int32_t>(bias, bias + count));
}

}  // namespace

std::optional<IntegerOffer> integer_convolution(const std::string& key, const kernels::ConvShape& s,
                                                const Tensor& weight, const IntegerInput& input,
                                                const kernels::QConvEpilogue& epilogue, WeightCache& cache,
                                                std::string& reason) try {
  using Conv = dnnl::convolution_forward;
  const memory::dims out = {s.batch, s.out_c, s.out_h, s.out_w};
  const memory::desc src({s.batch, s.in_c, s.in_h, s.in_w}, data_type(input.type), memory::format_tag::nhwc);
  const memory::desc dst(out, data_type(epilogue.output_type), memory::format_tag::nhwc);
  const memory::desc residual = residual_desc(epilogue, out, memory::format_tag::nhwc);
  const memory::dims grouped = {s.groups, s.group_out(), s.group_in(), s.kh, s.kw},
                     whole = {s.out_c, s.in_c, s.kh, s.kw};
  const memory::dims& filter = s.groups > 1 ? grouped : whole;
  const memory::desc plain(filter, memory::data_type::s8,
                           s.groups > 1 ? memory::format_tag::goihw : memory::format_tag::oihw);
  const bool padded = s.pad_top > 0 || s.pad_left > 0 || bottom_padding(s) > 0 || right_padding(s) > 0;
  const bool folds = input.zero_point != 0 && !padded;
  Constants constants;
  constants.zero_point = folds ? 0 : input.zero_point;
  constants.bias = copied(input.bias, s.out_c);
  if (folds || !constants.bias.empty())
    constants.bias_desc = memory::desc({s.out_c}, memory::data_type::s32, memory::format_tag::x);
  const Conv::desc op(dnnl::prop_kind::forward_inference, algorithm::convolution_direct, src,
                      memory::desc(filter, memory::data_type::s8, memory::format_tag::any), constants.bias_desc, dst,
                      {s.stride_h, s.stride_w}, {s.dilation_h - 1, s.dilation_w - 1}, {s.pad_top, s.pad_left},
                      {bottom_padding(s), right_padding(s)});
  const auto with = [&](bool in_place) {
    dnnl::primitive_attr attr = attributes(epilogue, s.out_c, PostOps(epilogue, residual, in_place));
    if (constants.zero_point != 0) attr.set_zero_points(DNNL_ARG_SRC, 0, {DNNL_RUNTIME_S32_VAL});
    return Conv::primitive_desc(op, attr, engine());
  };
  const auto [desc, in_place] = described(may_hold(epilogue), with);
  if (is_reference(desc)) {
    reason = "oneDNN has only its reference for this convolution";
    return std::nullopt;
  }
  constants.take(PostOps(epilogue, residual, in_place), epilogue);
  return offer(desc, std::move(constants), residual, [=, &cache, zero_point = input.zero_point](Constants& c) {
    if (folds) c.bias = folded_bias(weight, kernels::FilterStrides::oihw(s), s, zero_point, c.bias, cache);
    c.weights = packed_weights(key, plain, desc.weights_desc(), weight, cache);
  });
} catch (const dnnl::error& error) {
  reason = std::string("oneDNN refuses: ") + error.message;
  return std::nullopt;
}

std::optional<IntegerOffer> integer_matmul(const std::string& key, const kernels::ConvShape& s,
                                           const Tensor& weight, bool transposed, const IntegerInput& input,
                                           const kernels::QConvEpilogue& epilogue, WeightCache& cache,
                                           std::string& reason) try {
  const std::int64_t m = s.batch, k = s.in_c, n = s.out_c;
  const memory::desc src({m, k}, data_type(input.type), memory::format_tag::ab);
  const memory::desc dst({m, n}, data_type(epilogue.output_type), memory::format_tag::ab);
  const memory::desc residual = residual_desc(epilogue, {m, n}, memory::format_tag::ab);
  const memory::desc plain({k, n}, memory::data_type::s8, transposed ? memory::format_tag::ba : memory::format_tag::ab);
  const kernels::FilterStrides strides =
      transposed ? kernels::FilterStrides{k, 1, 0, 0} : kernels::FilterStrides{1, n, 0, 0};
  Constants constants;
  constants.bias = copied(input.bias, n);
  const bool folds = input.zero_point != 0;
  if (folds || !constants.bias.empty())
    constants.bias_desc = memory::desc({1, n}, memory::data_type::s32, memory::format_tag::ab);
  const PostOps post(epilogue, residual);
  constants.take(post, epilogue);
  const dnnl::primitive_attr attr = attributes(epilogue, n, post);
  const memory::desc any({k, n}, memory::data_type::s8, memory::format_tag::any);
  const dnnl::matmul::desc op = constants.bias_desc.is_zero() ? dnnl::matmul::desc(src, any, dst)
                                                              : dnnl::matmul::desc(src, any, constants.bias_desc, dst);
  const dnnl::matmul::primitive_desc desc(op, attr, engine());
  if (is_reference(desc)) {
    reason = "oneDNN has only its reference for this product";
    return std::nullopt;
  }
  return offer(desc, std::move(constants), residual, [=, &cache, zero_point = input.zero_point](Constants& c) {
    if (folds) c.bias = folded_bias(weight, strides, s, zero_point, c.bias, cache);
    c.weights = packed_weights(key, plain, desc.weights_desc(), weight, cache);
  });
} catch (const dnnl::error& error) {
  reason = std::string("oneDNN refuses: ") + error.message;
  return std::nullopt;
}

}  // namespace pare::runtime::onednn
