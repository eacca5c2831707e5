#include "runtime/lower/nbits_weight.h"

#include <algorithm>

#include "base/float16.h"
#include "ir/fake_quantize.h"

namespace pare::runtime {

namespace {

bool block_fits(const kernels::NBitsShape& s) { return s.block >= s.k || s.block % (s.bits == 3 ? 32 : 16) == 0; }
bool bits_fit(int bits) { return bits == 2 || bits == 4 || bits == 8; }

/// Field `index` of elements of `bits` bits, low bits first.
std::uint8_t field(const std::byte* bytes, std::int64_t index, int bits) {
  const std::int64_t per_byte = 8 / bits;
  const auto byte = std::to_integer<unsigned>(bytes[index / per_byte]);
  return static_cast<std::uint8_t>(byte >> (index % per_byte * bits) & ((1U << bits) - 1));
}

// ---- Codes that leave out values of their type ----

struct Range {
  int low = 0, high = 0;
};

/// Of the stored integers, two's complement where the type is signed.
Range range_of(const Tensor& q) {
  const std::size_t count = q.bytes();
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(q.raw());
  const bool is_signed = q.dtype() == DType::kInt8 || q.dtype() == DType::kInt4 || q.dtype() == DType::kInt2;
  const int width = bits(q.dtype()), half = is_signed ? 1 << (width - 1) : 0;
  std::uint8_t low = 255, high = 0;
  for (int shift = 0; shift < 8; shift += width) {
    const auto mask = static_cast<std::uint8_t>((1 << width) - 1), flip = static_cast<std::uint8_t>(half);
    for (std::size_t i = 0; i < count; ++i) {
      const auto code = static_cast<std::uint8_t>(((bytes[i] >> shift) & mask) ^ flip);
      low = std::min(low, code), high = std::max(high, code);
    }
  }
  return {low - half, high - half};
}

int bits_of(const Range& range) {
  for (const int width : {2, 3, 4})
    if (range.high - range.low < 1 << width) return width;
  return 8;
}

/// Keeps what the codes have above `base` in fewer bits.
void narrow(NBitsWeight& w, const Range& range) {
  kernels::NBitsShape narrow = w.shape;
  narrow.bits = bits_of(range);
  if (narrow.bits == 3 && !block_fits(narrow)) narrow.bits = 4;
  if (narrow.bits >= w.shape.bits) return;
  // Where all zero points are one, codes are best kept about it: nothing is then to be added to them.
  const float centre = static_cast<float>(1 << (narrow.bits - 1));
  const float first = w.zero.empty() ? static_cast<float>(1 << (w.shape.bits - 1)) : w.zero[0];
  const bool one = std::all_of(w.zero.begin(), w.zero.end(), [&](float z) { return z == first; });
  int base = static_cast<int>(first - centre);
  if (!one || static_cast<float>(base) != first - centre || base > range.low || range.high - base >= 1 << narrow.bits)
    base = range.low;
  if (w.zero.empty()) w.zero.assign(w.scale.size(), first);
  for (float& zero : w.zero) zero -= static_cast<float>(base);
  w.shape = narrow;
  w.row = [wide = w.row, base, k = w.shape.k](std::int64_t n, std::uint8_t* out) {
    wide(n, out);
    for (std::int64_t i = 0; i < k; ++i) out[i] = static_cast<std::uint8_t>(out[i] - base);
  };
}

bool is_dequantized(const ir::Graph& graph, ir::ValueId value) {
  const ir::NodeId producer = graph.producer(value);
  return producer != ir::kNoNode && graph.node(producer).is("DequantizeLinear");
}

// ---- Codebook (domain pare) of a matrix [K, N], or [N, K] under Gemm's transB ----

struct CodebookMatrix {
  const Tensor *values, *indices, *first = nullptr;
  bool transposed = false;
  std::int64_t k = 0, n = 0;
};

std::optional<CodebookMatrix> codebook_matrix(const ir::Graph& graph, const ir::Node& product) {
  const ir::NodeId producer = graph.producer(product.input(1));
  if (producer == ir::kNoNode) return std::nullopt;
  const ir::Node& node = graph.node(producer);
  if (node.op_type != "Codebook" || node.domain != ir::kPareDomain) return std::nullopt;
  CodebookMatrix c{graph.constant(node.input(0)), graph.constant(node.input(1)), graph.constant(node.input(2))};
  c.transposed = product.is("Gemm") && product.int_or("transB", 0) != 0;
  c.k = c.indices->dim(c.transposed ? 1 : 0), c.n = c.indices->dim(c.transposed ? 0 : 1);
  if (c.first && (c.first->numel() != c.n || c.first->dim(c.transposed ? 0 : 1) != c.n)) return std::nullopt;
  return c;
}

NBitsWeight codebook_weight(const CodebookMatrix& c) {
  NBitsWeight w;
  const int width = bits(c.indices->dtype());
  w.shape = {c.n, c.k, c.k, width};
  w.codes = *c.indices;
  const std::span<const float> values = c.values->data<float>();
  if (c.first) {
    w.table_stride = std::int64_t{1} << width;
    w.table.assign(static_cast<std::size_t>(c.n * w.table_stride), 0.0F);
    for (std::int64_t n = 0; n < c.n; ++n) {
      const auto begin = static_cast<std::int64_t>(element_as_double(*c.first, n));
      for (std::int64_t i = 0; i < w.table_stride && begin + i < c.values->numel(); ++i)
        w.table[static_cast<std::size_t>(n * w.table_stride + i)] = values[static_cast<std::size_t>(begin + i)];
    }
  } else {
    w.table.assign(values.begin(), values.begin() + std::min<std::int64_t>(c.values->numel(), std::int64_t{1} << width));
  }
  const std::int64_t step_n = c.transposed ? c.k : 1, step_k = c.transposed ? 1 : c.n;
  w.row = [codes = w.codes, s = w.shape, step_n, step_k](std::int64_t n, std::uint8_t* out) {
    for (std::int64_t k = 0; k < s.k; ++k) out[k] = field(codes.raw(), n * step_n + k * step_k, s.bits);
  };
  return w;
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

NBitsWeight operator_weight(const ir::Graph& graph, const ir::Node& node) {
  NBitsWeight w;
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
  if (!bits_fit(bits(d.q->dtype()))) return std::nullopt;
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

/// What both kinds of product need besides.
std::optional<std::string> why_not_form(const ir::Graph& graph, const ir::Node& node, std::int64_t n) {
  if (graph.value(node.input(0)).dtype != DType::kFloat32) return "only float32 has a kernel";
  if (graph.value(node.input(0)).shape.rank() < 2) return "a vector operand";
  if (!node.is("Gemm")) return std::nullopt;
  if (node.int_or("transA", 0) || node.float_or("alpha", 1) != 1 || node.float_or("beta", 1) != 1)
    return "transA, alpha or beta";
  const Tensor* bias = graph.constant(node.input(2));
  if (node.input(2) != ir::kNoValue && (!bias || bias->dtype() != DType::kFloat32 || bias->numel() != n))
    return "the bias is not one constant an output";
  return std::nullopt;
}

std::optional<std::string> why_not_product(const ir::Graph& graph, const ir::Node& node) {
  if (const auto codebook = codebook_matrix(graph, node)) {
    if (codebook->k < 1 || codebook->n < 1) return "an empty product";
    return why_not_form(graph, node, codebook->n);
  }
  const auto d = dequantized_matrix(graph, node);
  if (!d) return "the right operand is no constant of few bits";
  if (d->k < 1 || d->n < 1 || !block_fits({d->n, d->k, d->block, 4})) return "the block is no multiple of 16";
  if (auto reason = why_not_form(graph, node, d->n)) return reason;
  // Bytes with one scale an output are worth it where they hold fewer bits; behind quantized inputs integers have them.
  const bool bytes = bits(d->q->dtype()) == 8 && d->node->int_or("block_size", 0) == 0;
  if (bytes && (is_dequantized(graph, node.input(0)) || bits_of(range_of(*d->q)) == 8)) return "the weights take 8 bits";
  return std::nullopt;
}

NBitsWeight product_weight(const Dequantized& d) {
  NBitsWeight w;
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
  narrow(w, {range_of(*d.q).low + half, range_of(*d.q).high + half});
  return w;
}

}  // namespace

bool is_nbits_operator(const ir::Node& node) {
  return node.domain == "com.microsoft" && node.op_type == "MatMulNBits";
}

std::optional<std::string> why_not_nbits_weight(const ir::Graph& graph, const ir::Node& node) {
  return is_nbits_operator(node) ? why_not_operator(graph, node) : why_not_product(graph, node);
}

NBitsWeight nbits_weight(const ir::Graph& graph, const ir::Node& node) {
  if (is_nbits_operator(node)) return operator_weight(graph, node);
  const auto codebook = codebook_matrix(graph, node);
  return codebook ? codebook_weight(*codebook) : product_weight(*dequantized_matrix(graph, node));
}

}  // namespace pare::runtime
