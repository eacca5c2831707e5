// MatMulNBits (com.microsoft): Y = A · Wᵀ + bias, W [N, K] in blocks of `block_size` along K with a scale and a zero
// point each. B [N, blocks, block_size · bits / 8] holds elements low bits first; packed zero points fill whole bytes
// for each row. Without zero points they are 2^(bits − 1).
#include "base/float16.h"
#include "ir/expansion.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"
#include "ir/refusal.h"

namespace pare::ir::ops {
namespace {

struct Layout {
  std::int64_t k, n, bits, block, blocks;
};

template <class Context>
Layout layout_of(const Context& ctx) {
  Layout layout{ctx.node.int_or("K", 0), ctx.node.int_or("N", 0), ctx.node.int_or("bits", 4),
                ctx.node.int_or("block_size", 0), 0};
  if (layout.k < 1 || layout.n < 1 || layout.block < 1)
    ctx.fail("attributes 'K', 'N' and 'block_size' must be positive");
  if (layout.bits != 2 && layout.bits != 4 && layout.bits != 8)
    refuse(ctx, "this number of bits", "2, 4 or 8", std::to_string(layout.bits));
  layout.blocks = (layout.k + layout.block - 1) / layout.block;
  return layout;
}

void infer(InferContext& ctx) {
  const Layout layout = layout_of(ctx);
  const Shape& a = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  if (!a.ranked()) return;
  require_rank_at_least(ctx, 0, 1);
  require_same(ctx, a[-1], Dim(layout.k), "the last axis of A differs from K");
  Shape out = a;
  out.dims().back() = Dim(layout.n);
  set_output(ctx, 0, ctx.in(0).dtype, std::move(out));
}

/// Element i of a row of packed bytes.
std::int64_t unpack(const std::byte* row, std::int64_t i, std::int64_t bits) {
  const std::int64_t per_byte = 8 / bits;
  return std::to_integer<std::int64_t>(row[i / per_byte]) >> (i % per_byte * bits) & ((std::int64_t{1} << bits) - 1);
}

double zero_point(const EvaluateContext& ctx, const Layout& layout, std::int64_t row, std::int64_t block) {
  if (!ctx.has(3)) return static_cast<double>(std::int64_t{1} << (layout.bits - 1));
  const Tensor& points = ctx.in(3);
  if (points.dtype() != DType::kUint8) return element_as_double(points, row * layout.blocks + block);
  const std::int64_t stride = (layout.blocks * layout.bits + 7) / 8;
  return static_cast<double>(unpack(points.raw() + row * stride, block, layout.bits));
}

/// W transposed, [K, N], in the type of A.
Tensor weight(const EvaluateContext& ctx) {
  const Layout layout = layout_of(ctx);
  const Tensor &b = ctx.in(1), &scales = ctx.in(2);
  const std::int64_t blob = layout.block * layout.bits / 8;
  if (b.dtype() != DType::kUint8 || b.numel() != layout.n * layout.blocks * blob)
    ctx.fail("B does not hold N x blocks x block_size elements",
             to_string(Dims{layout.n, layout.blocks, blob}) + " of uint8", to_string(b.dims()));
  const std::int64_t points =
      layout.n *
      (ctx.has(3) && ctx.in(3).dtype() == DType::kUint8 ? (layout.blocks * layout.bits + 7) / 8 : layout.blocks);
  if (scales.numel() != layout.n * layout.blocks || (ctx.has(3) && ctx.in(3).numel() != points))
    ctx.fail("scales or zero points do not fit", std::to_string(layout.n * layout.blocks) + " scales",
             std::to_string(scales.numel()));
  if (ctx.has(4))
    for (std::int64_t i = 0; i < layout.k; ++i)
      if (element_as_double(ctx.in(4), i) != static_cast<double>(i / layout.block))
        refuse(ctx, "a g_idx that reorders the blocks");
  std::vector<double> w(static_cast<std::size_t>(layout.k * layout.n));
  for (std::int64_t row = 0; row < layout.n; ++row) {
    for (std::int64_t block = 0; block < layout.blocks; ++block) {
      const double scale = element_as_double(scales, row * layout.blocks + block);
      const double zero = zero_point(ctx, layout, row, block);
      const std::byte* packed = b.raw() + (row * layout.blocks + block) * blob;
      for (std::int64_t i = 0; i < layout.block && block * layout.block + i < layout.k; ++i)
        w[static_cast<std::size_t>((block * layout.block + i) * layout.n + row)] =
            (static_cast<double>(unpack(packed, i, layout.bits)) - zero) * scale;
    }
  }
  return from_doubles(ctx.in(0).dtype(), {layout.k, layout.n}, w);
}

/// With the dequantized weight as a constant: needs B, scales and zero points to be constants.
void expand(Expansion& e) {
  std::vector<Tensor> inputs = {Tensor(e.facts(0).dtype, {0}), e.known(1), e.known(2)};
  for (std::size_t slot = 3; slot < 5; ++slot) inputs.push_back(e.has(slot) ? e.known(slot) : Tensor());
  ValueId y = e.add("MatMul", {e.in(0), e.constant(weight({e.node(), 1, inputs}))});
  if (e.has(5)) y = e.add("Add", {y, e.in(5)});
  e.output(0, y);
}

}  // namespace

extern const Expand expandMatMulNBits = expand;
extern const Operator kMatMulNBits = {
    .op_type = "MatMulNBits",
    .domain = kMicrosoft,
    .min_inputs = 3,
    .max_inputs = 6,
    .attributes = {"K", "N", "accuracy_level", "bits", "block_size"},
    .infer = infer,
    .evaluate = evaluate_expanded<expand>,
    .macs = macs_expanded<expand>,
};

}  // namespace pare::ir::ops
