#include "runtime/onednn.h"

#include <cstring>
#include <optional>
#include <unordered_map>

#include "base/huge_memory.h"
#include "runtime/onednn_internal.h"

namespace pare::runtime::onednn {

namespace {

using dnnl::algorithm;
using dnnl::memory;

std::optional<algorithm> eltwise(kernels::UnaryOp op) noexcept {
  switch (op) {
    case kernels::UnaryOp::kRelu:
    case kernels::UnaryOp::kLeakyRelu:
      return algorithm::eltwise_relu;
    case kernels::UnaryOp::kClip:
      return algorithm::eltwise_clip;
    case kernels::UnaryOp::kElu:
      return algorithm::eltwise_elu;
    case kernels::UnaryOp::kSigmoid:
      return algorithm::eltwise_logistic;
    case kernels::UnaryOp::kHardSwish:
      return algorithm::eltwise_hardswish;
    case kernels::UnaryOp::kHardSigmoid:
      return algorithm::eltwise_linear;  // and clipped to [0, 1]
    case kernels::UnaryOp::kTanh:
      return algorithm::eltwise_tanh;
    case kernels::UnaryOp::kGelu:
      return algorithm::eltwise_gelu_erf;
    case kernels::UnaryOp::kGeluTanh:
      return algorithm::eltwise_gelu_tanh;
    case kernels::UnaryOp::kSilu:
      return algorithm::eltwise_swish;
    default:
      return std::nullopt;
  }
}

/// Alpha as oneDNN means it: the slope of a relu, the factor within a swish.
float eltwise_alpha(const PostOp& item) noexcept {
  if (item.op == kernels::UnaryOp::kRelu) return 0.0f;
  return item.op == kernels::UnaryOp::kSilu ? 1.0f : item.params.alpha;
}

memory::data_type data_type(DType type) {
  return type == DType::kBFloat16 ? memory::data_type::bf16 : memory::data_type::f32;
}

/// `added`: the tensor of the post-op that adds; `in_place`: it is what the output holds.
dnnl::primitive_attr attributes(const std::vector<PostOp>& post, const memory::desc& added, bool in_place) {
  dnnl::post_ops ops;
  for (const PostOp& item : post) {
    if (item.add) {
      if (in_place)
        ops.append_sum(1.0f);
      else
        ops.append_binary(algorithm::binary_add, added);
      continue;
    }
    ops.append_eltwise(1.0f, *eltwise(item.op), eltwise_alpha(item), item.params.beta);
    if (item.op == kernels::UnaryOp::kHardSigmoid) ops.append_eltwise(1.0f, algorithm::eltwise_clip, 0.0f, 1.0f);
  }
  dnnl::primitive_attr attr;
  attr.set_post_ops(ops);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

int add_argument(const std::vector<PostOp>& post) {
  int index = 0;
  for (const PostOp& item : post) {
    if (item.add) return DNNL_ARG_ATTR_MULTIPLE_POST_OP(index) | DNNL_ARG_SRC_1;
    index += item.op == kernels::UnaryOp::kHardSigmoid ? 2 : 1;
  }
  return 0;
}

}  // namespace

std::string version() {
  const dnnl_version_t& v = *dnnl_version();
  return std::to_string(v.major) + "." + std::to_string(v.minor) + "." + std::to_string(v.patch);
}

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

namespace {

/// Weights in oneDNN's layout, its own or in a mapped file.
struct LibraryWeights {
  memory value;
  std::shared_ptr<const void> owner;

  const char* kernel_name() const { return "onednn"; }
  void write(kernels::PackedWriter& writer) const {
    const std::size_t size = value.get_desc().get_size();
    writer.array(kernels::PackedArray<std::byte>(static_cast<const std::byte*>(value.get_data_handle()), size, owner));
  }
};

std::optional<LibraryWeights> view_weights(const memory::desc& wanted, kernels::PackedReader& reader) {
  const kernels::PackedArray<std::byte> bytes = reader.array<std::byte>(wanted.get_size());
  if (!reader.finished()) return std::nullopt;
  const auto owner = std::make_shared<const kernels::PackedArray<std::byte>>(bytes);
  return LibraryWeights{view(wanted, bytes.data()), owner};
}

LibraryWeights reorder_weights(const memory::desc& plain, const memory::desc& wanted, const Tensor& weight) {
  const Tensor aligned = weight.aligned();
  memory from = view(plain, aligned.raw());
  const auto bytes = std::make_shared<const HugeVector<std::byte>>(wanted.get_size());
  LibraryWeights to{view(wanted, bytes->data()), bytes};
  dnnl::stream stream(engine());
  dnnl::reorder(from, to.value).execute(stream, from, to.value);
  stream.wait();
  return to;
}

}  // namespace

std::shared_ptr<const memory> packed_weights(const std::string& key, const memory::desc& plain,
                                             const memory::desc& wanted, const Tensor& weight, WeightCache& cache) {
  const dnnl_version_t& version = *dnnl_version();
  kernels::PackingKey full("onednn", 1, key.c_str());
  full.add(version.major, version.minor, version.patch, wanted.data);  // the description says which layout
  if (plain == wanted)
    return cache.get<memory>(full.text(), weight, [&] { return std::make_shared<memory>(view(plain, weight.aligned_raw())); });
  const auto weights = cache.get_packed<LibraryWeights>(
      full.text(), weight, [&](kernels::PackedReader& reader) { return view_weights(wanted, reader); },
      [&] { return reorder_weights(plain, wanted, weight); });
  return {weights, &weights->value};
}

namespace {

template <class Descriptor>
class DnnlProduct final : public Product {
 public:
  /// `added` describes the tensor of the argument `add`; that is 0 where nothing is added, or in place.
  DnnlProduct(const Descriptor& desc, std::shared_ptr<const memory> weights, Tensor bias, memory::desc added, int add,
              bool in_place = false)
      : desc_(desc),
        primitive_(desc),
        weights_(std::move(weights)),
        bias_(std::move(bias)),
        added_(std::move(added)),
        add_(add),
        in_place_(in_place) {}

  void run(const void* in, const void* add, void* out, std::byte* scratch) const override {
    std::unordered_map<int, memory> arguments = {{DNNL_ARG_SRC, view(desc_.src_desc(), in)},
                                                 {DNNL_ARG_WEIGHTS, *weights_},
                                                 {DNNL_ARG_DST, view(desc_.dst_desc(), out)},
                                                 {DNNL_ARG_SCRATCHPAD, view(desc_.scratchpad_desc(), scratch)}};
    if (bias_.defined()) arguments.emplace(DNNL_ARG_BIAS, view(desc_.bias_desc(), bias_.aligned_raw()));
    if (add_) arguments.emplace(add_, view(added_, add));
    if (in_place_ && add != out) std::memcpy(out, add, added_.get_size());
    dnnl::stream stream(engine());
    primitive_.execute(stream, arguments);
    stream.wait();
  }
  std::size_t scratch_bytes() const override { return desc_.scratchpad_desc().get_size(); }
  std::size_t weight_bytes() const override { return weights_->get_desc().get_size() + bias_.bytes(); }
  std::string implementation() const override { return desc_.impl_info_str(); }
  bool adds_in_place() const override { return in_place_; }

 private:
  Descriptor desc_;
  dnnl::primitive primitive_;
  std::shared_ptr<const memory> weights_;
  Tensor bias_;
  memory::desc added_;
  int add_;
  bool in_place_;
};

class DnnlBatchedProduct final : public BatchedProduct {
 public:
  explicit DnnlBatchedProduct(const dnnl::matmul::primitive_desc& desc) : desc_(desc), primitive_(desc) {}

  void run(const float* a, const float* b, float* out, std::byte* scratch) const override {
    dnnl::stream stream(engine());
    primitive_.execute(stream, {{DNNL_ARG_SRC, view(desc_.src_desc(), a)},
                                {DNNL_ARG_WEIGHTS, view(desc_.weights_desc(), b)},
                                {DNNL_ARG_DST, view(desc_.dst_desc(), out)},
                                {DNNL_ARG_SCRATCHPAD, view(desc_.scratchpad_desc(), scratch)}});
    stream.wait();
  }
  std::size_t scratch_bytes() const override { return desc_.scratchpad_desc().get_size(); }
  std::string implementation() const override { return desc_.impl_info_str(); }

 private:
  dnnl::matmul::primitive_desc desc_;
  dnnl::primitive primitive_;
};

}  // namespace

bool can_fuse(kernels::UnaryOp op) noexcept { return eltwise(op).has_value(); }
bool same_algorithm(kernels::UnaryOp a, kernels::UnaryOp b) noexcept { return eltwise(a) == eltwise(b); }

std::unique_ptr<Product> convolution(const std::string& key, const kernels::ConvShape& s, const Tensor& weight,
                                     const Tensor& bias, const std::vector<PostOp>& post, const ProductTypes& types,
                                     WeightCache& cache, std::string& reason) try {
  using Conv = dnnl::convolution_forward;
  const auto f32 = memory::data_type::f32;
  const memory::dims result = {s.batch, s.out_c, s.out_h, s.out_w};
  const memory::desc src({s.batch, s.in_c, s.in_h, s.in_w}, data_type(types.in), memory::format_tag::nhwc);
  const memory::desc dst(result, data_type(types.out), memory::format_tag::nhwc);
  const memory::desc added(result, data_type(types.add), memory::format_tag::nhwc);
  const memory::dims grouped = {s.groups, s.group_out(), s.group_in(), s.kh, s.kw},
                     whole = {s.out_c, s.in_c, s.kh, s.kw};
  const memory::dims& filter = s.groups > 1 ? grouped : whole;
  const memory::desc plain(filter, f32, s.groups > 1 ? memory::format_tag::goihw : memory::format_tag::oihw);
  const memory::desc any(filter, data_type(types.in), memory::format_tag::any);
  const memory::desc bias_desc = bias.defined() ? memory::desc({s.out_c}, f32, memory::format_tag::x) : memory::desc();
  const Conv::desc op(dnnl::prop_kind::forward_inference, algorithm::convolution_direct, src, any, bias_desc, dst,
                      {s.stride_h, s.stride_w}, {s.dilation_h - 1, s.dilation_w - 1}, {s.pad_top, s.pad_left},
                      {bottom_padding(s), right_padding(s)});
  const auto with = [&](bool in_place) {
    return Conv::primitive_desc(op, attributes(post, added, in_place), engine());
  };
  const auto [desc, in_place] = described(add_argument(post) != 0 && types.add == types.out, with);
  if (is_reference(desc)) {
    reason = "oneDNN has only its reference for this convolution";
    return nullptr;
  }
  auto weights = packed_weights(key, plain, desc.weights_desc(), weight, cache);
  return std::make_unique<DnnlProduct<Conv::primitive_desc>>(desc, std::move(weights), bias, added,
                                                             in_place ? 0 : add_argument(post), in_place);
} catch (const dnnl::error& error) {
  reason = std::string("oneDNN refuses: ") + error.message;
  return nullptr;
}

std::unique_ptr<Product> inner_product(const std::string& key, std::int64_t m, std::int64_t k, std::int64_t n,
                                       const Tensor& weight, bool transposed, const Tensor& bias,
                                       const std::vector<PostOp>& post, const ProductTypes& types, WeightCache& cache,
                                       std::string& reason) try {
  using Inner = dnnl::inner_product_forward;
  const auto f32 = memory::data_type::f32;
  const memory::desc src({m, k}, data_type(types.in), memory::format_tag::nc);
  const memory::desc dst({m, n}, data_type(types.out), memory::format_tag::nc);
  const memory::desc added({m, n}, data_type(types.add), memory::format_tag::nc);
  const memory::desc plain({n, k}, f32, transposed ? memory::format_tag::oi : memory::format_tag::io);
  const memory::desc bias_desc = bias.defined() ? memory::desc({n}, f32, memory::format_tag::x) : memory::desc();
  const memory::desc any({n, k}, data_type(types.in), memory::format_tag::any);
  const Inner::desc op(dnnl::prop_kind::forward_inference, src, any, bias_desc, dst);
  const Inner::primitive_desc desc(op, attributes(post, added, false), engine());
  if (is_reference(desc)) {
    reason = "oneDNN has only its reference for this product";
    return nullptr;
  }
  auto weights = packed_weights(key, plain, desc.weights_desc(), weight, cache);
  return std::make_unique<DnnlProduct<Inner::primitive_desc>>(desc, std::move(weights), bias, added,
                                                              add_argument(post));
} catch (const dnnl::error& error) {
  reason = std::string("oneDNN refuses: ") + error.message;
  return nullptr;
}

std::unique_ptr<BatchedProduct> batched_product(std::int64_t m, std::int64_t k, std::int64_t n, const Batched& a,
                                                const Batched& b, const Dims& batch, std::string& reason) try {
  const auto f32 = memory::data_type::f32;
  const auto desc_of = [&](const Batched& operand, std::int64_t rows, std::int64_t columns) {
    memory::dims dims = operand.dims, strides = operand.strides;
    for (std::int64_t size : {rows, columns}) dims.push_back(size);
    for (std::int64_t stride : {operand.row, operand.column}) strides.push_back(stride);
    return memory::desc(dims, f32, strides);
  };
  memory::dims dims = batch, strides(batch.size() + 2, 1);
  dims.push_back(m), dims.push_back(n);
  for (std::size_t i = strides.size() - 1; i-- > 0;) strides[i] = strides[i + 1] * dims[i + 1];
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::matmul::desc op(desc_of(a, m, k), desc_of(b, k, n), memory::desc(dims, f32, strides));
  const dnnl::matmul::primitive_desc desc(op, attr, engine());
  if (is_reference(desc)) {
    reason = "oneDNN has only its reference for this product";
    return nullptr;
  }
  return std::make_unique<DnnlBatchedProduct>(desc);
} catch (const dnnl::error& error) {
  reason = std::string("oneDNN refuses: ") + error.message;
  return nullptr;
}

}  // namespace pare::runtime::onednn
