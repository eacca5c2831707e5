// QAttention (com.microsoft): Attention whose projection is a product of 8-bit integers, scaled to float. Inputs: x,
// weight, bias, scales of x and of the weight (one or one a column), mask, their zero points, past.
#include "ir/ops/common/heads.h"

namespace pare::ir::ops {
namespace {

constexpr std::size_t kScale = 3, kWeightScale = 4, kMask = 5, kPast = 8;

void expand(Expansion& e) {
  if (e.has(kPast)) e.unsupported("a past");
  const AttentionSlots slots{.heads = head_count(e),
                             .mask = kMask,
                             .scale = e.node().float_or("scale", 0),
                             .masked = e.node().float_or("mask_filter_value", -10000),
                             .causal = e.node().int_or("unidirectional", 0) != 0};
  const std::int64_t size = e.size(1, 1) / 3;
  const auto scalar = [&](std::size_t slot) {
    return e.has(slot) && e.rank(slot) == 1 ? e.squeeze("Squeeze", e.in(slot), {0}) : e.in(slot);
  };
  const ValueId sums = e.add("MatMulInteger", {e.in(0), e.in(1), scalar(6), e.in(7)});
  const ValueId real = e.add("Cast", {sums}, {{"to", static_cast<std::int64_t>(DType::kFloat32)}});
  const ValueId scaled = e.add("Mul", {real, e.add("Mul", {e.in(kScale), e.in(kWeightScale)})});
  const std::vector<ValueId> qkv = e.split(e.add("Add", {scaled, e.in(2)}), 2, {size, size, size});
  e.output(0, attend(e, slots, split_heads(e, qkv[0], slots.heads), split_heads(e, qkv[1], slots.heads),
                     split_heads(e, qkv[2], slots.heads), size / slots.heads));
}

}  // namespace

extern const Expand expandQAttention = expand;
extern const Operator kQAttention = expanded_operator<expand>(
    "QAttention", kMicrosoft, 5, 9,
    {"do_rotary", "mask_filter_value", "num_heads", "past_present_share_buffer", "scale", "unidirectional"}, 2);

}  // namespace pare::ir::ops
