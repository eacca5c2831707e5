#include "runtime/lower/nbits.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "base/float16.h"
#include "kernels/nbits/nbits.h"

namespace pare::runtime {

namespace {

/// Codes, scales and zero points of a weight, however the model spells them.
struct Weight {
  kernels::NBitsShape shape;
  Tensor codes;                    ///< what the cache knows the weight by
  std::vector<float> scale, zero;  ///< [n, blocks]; zero empty: 2^(bits − 1)
  std::function<void(std::int64_t, std::uint8_t*)> row;

  kernels::NBitsValues values() const { return {scale.data(), zero.empty() ? nullptr : zero.data(), {}}; }
};

bool block_fits(const kernels::NBitsShape& s) { return s.block >= s.k || s.block % 16 == 0; }
bool bits_fit(int bits) { return bits == 2 || bits == 4 || bits == 8; }

/// Field `index` of elements of `bits` bits, low bits first.
std::uint8_t field(const std::byte* bytes, std::int64_t index, int bits) {
  const std::int64_t per_byte = 8 / bits;
  const auto byte = std::to_integer<unsigned>(bytes[index / per_byte]);
  return static_cast<std::uint8_t>(byte >> (index % per_byte * bits) & ((1U << bits) - 1));
}

// ---- com.microsoft.MatMulNBits: B [N, blocks, block · bits / 8], zero points packed by rows ----

kernels::NBitsShape operator_shape(const ir::Node& node) {
  return {node.int_or("N", 0), node.int_or("K", 0), node.int_or("block_size", 0),
          static_cast<int>(node.int_or("bits", 4))};
}

std::optional<std::string> why_not_operator(const ir::Graph& graph, const ir::Node& node) {
  const kernels::NBitsShape s = operator_shape(node);
  const Tensor *b = graph.constant(node.input(1)), *scale = graph.constant(node.input(2)),
               *zero = graph.constant(node.input(3)), *bias = graph.constant(node.input(5));
  if (graph.value(node.input(0)).dtype != DType::kFloat32) return "only float32 has a kernel";
  if (!b || !scale || (node.input(3) != ir::kNoValue && !zero) || (node.input(5) != ir::kNoValue && !bias))
    return "weight, scales, zero points and bias are not constant";
  if (node.input(4) != ir::kNoValue) return "g_idx";
  if (!bits_fit(s.bits) || s.n < 1 || s.k < 1 || s.block < 1 || !block_fits(s)) return "the block is no multiple of 16";
  const std::int64_t groups = s.n * s.blocks();
  const std::int64_t packed = s.n * ((s.blocks() * s.bits + 7) / 8);
  if (b->dtype() != DType::kUint8 || b->numel() != groups * s.block * s.bits / 8 || scale->numel() != groups)
    return "weight or scales of another size";
  if (zero && zero->numel() != (zero->dtype() == DType::kUint8 ? packed : groups)) return "zero points of another size";
  if (bias && (bias->dtype() != DType::kFloat32 || bias->numel() != s.n)) return "the bias is not one float an output";
  return std::nullopt;
}

Weight operator_weight(const ir::Graph& graph, const ir::Node& node) {
  Weight w;
  w.shape = operator_shape(node);
  w.codes = *graph.constant(node.input(1));
  const Tensor &scale = *graph.constant(node.input(2)), *zero = graph.constant(node.input(3));
  const std::int64_t blocks = w.shape.blocks(), row_bytes = blocks * w.shape.block * w.shape.bits / 8;
  const std::int64_t zero_bytes = (blocks * w.shape.bits + 7) / 8;
  for (std::int64_t i = 0; i < w.shape.n * blocks; ++i) {
    w.scale.push_back(static_cast<float>(element_as_double(scale, i)));
    if (!zero) continue;
    w.zero.push_back(zero->dtype() == DType::kUint8
                         ? static_cast<float>(field(zero->raw() + i / blocks * zero_bytes, i % blocks, w.shape.bits))
                         : static_cast<float>(element_as_double(*zero, i)));
  }
  w.row = [codes = w.codes, s = w.shape, row_bytes](std::int64_t n, std::uint8_t* out) {
    for (std::int64_t k = 0; k < s.k; ++k) out[k] = field(codes.raw() + n * row_bytes, k, s.bits);
  };
  return w;
}

// ---- DequantizeLinear of a constant matrix [K, N], or [N, K] under Gemm's transB ----

struct Dequantized {
  const ir::Node* node = nullptr;
  const Tensor *q = nullptr, *scale = nullptr, *zero = nullptr;
  bool transposed = false;
  std::int64_t k = 0, n = 0;
  std::int64_t block = 0;  ///< k where one scale serves the whole of K
  bool by_output = false;  ///< several scales across N
};

std::optional<Dequantized> dequantized_matrix(const ir::Graph& graph, const ir::Node& product) {
  const ir::NodeId producer = graph.producer(product.input(1));
  if (producer == ir::kNoNode || !graph.node(producer).is("DequantizeLinear")) return std::nullopt;
  Dequantized d;
  d.node = &graph.node(producer);
  d.q = graph.constant(d.node->input(0)), d.scale = graph.constant(d.node->input(1));
  d.zero = graph.constant(d.node->input(2));
  if (!d.q || !d.scale || (d.node->input(2) != ir::kNoValue && !d.zero) || d.q->rank() != 2) return std::nullopt;
  if (graph.value(product.input(1)).dtype != DType::kFloat32 || !is_integer(d.q->dtype())) return std::nullopt;
  const std::int64_t block = d.node->int_or("block_size", 0);
  if (!bits_fit(bits(d.q->dtype())) || (bits(d.q->dtype()) == 8 && block == 0)) return std::nullopt;
  d.transposed = product.is("Gemm") && product.int_or("transB", 0) != 0;
  d.k = d.q->dim(d.transposed ? 1 : 0), d.n = d.q->dim(d.transposed ? 0 : 1);
  const std::int64_t axis = d.node->int_or("axis", 1), along_k = d.transposed ? 1 : 0;
  const bool on_k = (axis < 0 ? axis + 2 : axis) == along_k;
  if (block > 0 ? !on_k : d.scale->numel() > 1 && on_k) return std::nullopt;
  d.block = block > 0 ? block : d.k;
  d.by_output = d.scale->numel() > 1;
  const std::int64_t blocks = (d.k + d.block - 1) / d.block;
  if (d.by_output && d.scale->numel() != blocks * d.n) return std::nullopt;
  if (d.zero && d.zero->numel() != d.scale->numel()) return std::nullopt;
  return d;
}

std::optional<std::string> why_not_product(const ir::Graph& graph, const ir::Node& node) {
  const auto d = dequantized_matrix(graph, node);
  if (!d) return "the right operand is no constant of few bits";
  if (graph.value(node.input(0)).dtype != DType::kFloat32) return "only float32 has a kernel";
  if (graph.value(node.input(0)).shape.rank() < 2) return "a vector operand";
  if (d->k < 1 || d->n < 1 || !block_fits({d->n, d->k, d->block, 4})) return "the block is no multiple of 16";
  if (!node.is("Gemm")) return std::nullopt;
  if (node.int_or("transA", 0) || node.float_or("alpha", 1) != 1 || node.float_or("beta", 1) != 1)
    return "transA, alpha or beta";
  const Tensor* bias = graph.constant(node.input(2));
  if (node.input(2) != ir::kNoValue && (!bias || bias->dtype() != DType::kFloat32 || bias->numel() != d->n))
    return "the bias is not one constant an output";
  return std::nullopt;
}

Weight product_weight(const Dequantized& d) {
  Weight w;
  w.shape = {d.n, d.k, d.block, bits(d.q->dtype())};
  w.codes = *d.q;
  const DType type = d.q->dtype();
  const bool is_signed = type == DType::kInt8 || type == DType::kInt4 || type == DType::kInt2;
  const int half = is_signed ? 1 << (w.shape.bits - 1) : 0;  // a signed code is kept above 0
  const std::int64_t blocks = w.shape.blocks();
  for (std::int64_t n = 0; n < d.n; ++n) {
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::int64_t at = !d.by_output ? 0 : d.transposed ? n * blocks + b : b * d.n + n;
      w.scale.push_back(static_cast<float>(element_as_double(*d.scale, at)));
      w.zero.push_back(static_cast<float>((d.zero ? element_as_double(*d.zero, at) : 0) + half));
    }
  }
  const std::int64_t step_n = d.transposed ? d.k : 1, step_k = d.transposed ? 1 : d.n;
  w.row = [codes = w.codes, s = w.shape, step_n, step_k, half](std::int64_t n, std::uint8_t* out) {
    for (std::int64_t k = 0; k < s.k; ++k)
      out[k] = static_cast<std::uint8_t>(field(codes.raw(), n * step_n + k * step_k, s.bits) ^ half);
  };
  return w;
}

bool is_operator(const ir::Node& node) { return node.domain == "com.microsoft" && node.op_type == "MatMulNBits"; }

}  // namespace

std::optional<std::string> why_not_nbits(const ir::Graph& graph, const ir::Node& node) {
  if (is_operator(node)) return why_not_operator(graph, node);
  if (node.is("MatMul") || node.is("Gemm")) return why_not_product(graph, node);
  return "no product";
}

bool only_nbits_read(const ir::Graph& graph, ir::ValueId value) {
  const std::vector<ir::NodeId>& readers = graph.value(value).consumers;
  return !graph.is_output(value) && !readers.empty() && std::ranges::all_of(readers, [&](ir::NodeId id) {
    const ir::Node& node = graph.node(id);
    return node.input(1) == value && node.input(0) != value && !why_not_nbits(graph, node);
  });
}

bool takes_nbits(Lowerer& lw, const Group& group) {
  if (group.integer || !group.follow.empty() || group.quantize) return false;
  if (group.nodes.size() > 1 && !lw.constant(group.bias).defined()) return false;
  return !why_not_nbits(lw.graph(), lw.main(group));
}

void lower_nbits(Lowerer& lw, const Group& group) {
  using kernels::NBitsMatrix;
  const ir::Node& node = lw.main(group);
  const bool op = is_operator(node);
  const Weight weight = op ? operator_weight(lw.graph(), node) : product_weight(*dequantized_matrix(lw.graph(), node));
  const auto matrix = lw.cache().get_packed<NBitsMatrix>(
      NBitsMatrix::packing_key(weight.shape, weight.values()), weight.codes,
      [&](kernels::PackedReader& reader) { return NBitsMatrix::view(weight.shape, {}, reader); },
      [&] { return NBitsMatrix::pack(weight.shape, weight.values(), weight.row); });
  const ir::ValueId bias_value = op ? node.input(5) : node.is("Gemm") ? node.input(2) : group.bias;
  const Tensor bias = lw.constant(bias_value);
  const std::int64_t m = element_count(lw.dims(node.input(0))) / weight.shape.k;
  // accuracy_level 4 lets activations be 8 bits; with few rows memory is the limit anyway.
  const bool int8 = op && node.int_or("accuracy_level", 0) == 4 && m >= 8 && matrix->has_int8();
  const int threads = lw.threads();
  const BufferId x = lw.read(node.input(0)), y = lw.write(group.output),
                 scratch = lw.scratch(kernels::nbits_scratch_bytes(*matrix, m, threads));
  const std::string reason = std::to_string(weight.shape.bits) + "-bit weights in blocks of " +
                             std::to_string(weight.shape.block) + (int8 ? ", 8-bit activations" : "");
  lw.emit(
      group,
      {std::string(matrix->kernel_name()) + (int8 ? "_int8" : ""), reason, static_cast<std::int64_t>(matrix->bytes())},
      {x}, {y, scratch}, [=](const Frame& frame) {
        const float* b = bias.defined() ? bias.data<float>().data() : nullptr;
        kernels::nbits_matmul(*matrix, m, frame.at<float>(x), b, frame.at<float>(y), frame.at(scratch), threads, int8);
      });
}

std::optional<std::string> lower_MatMulNBits(Lowerer& lw, const Group& group) {
  if (auto reason = why_not_nbits(lw.graph(), lw.main(group))) return reason;
  lower_nbits(lw, group);
  return std::nullopt;
}

}  // namespace pare::runtime
