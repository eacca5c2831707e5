// Attention (com.microsoft): the projection of the input to queries, keys and values, and attention over their heads.
// Inputs: x [B, S, I], weight [I, Q + K + V], bias, mask, past [2, B, heads, P, D], bias of the scores. Outputs:
// [B, S, V], present [2, B, heads, P + S, D].
#include "ir/ops/common/heads.h"

namespace pare::ir::ops {
namespace {

constexpr std::size_t kMask = 3, kPast = 4, kBias = 5;

/// Sizes of queries, keys and values side by side.
std::vector<std::int64_t> parts(const Expansion& e) {
  const std::int64_t all = e.size(1, 1);
  const std::vector<std::int64_t> sizes = e.node().ints_or("qkv_hidden_sizes", {all / 3, all / 3, all / 3});
  if (sizes.size() != 3 || sizes[0] + sizes[1] + sizes[2] != all || sizes[0] != sizes[1])
    e.fail("the weight's columns are not queries, keys and values", std::to_string(all) + " columns",
           "qkv_hidden_sizes");
  return sizes;
}

ValueId with_past(Expansion& e, ValueId x, std::int64_t which) {
  const ValueId past =
      e.add("Gather", {e.in(kPast), e.scalar(static_cast<double>(which), DType::kInt64)}, {{"axis", std::int64_t{0}}});
  return e.add("Concat", {past, x}, {{"axis", std::int64_t{2}}});
}

void expand(Expansion& e) {
  if (e.has(6)) e.unsupported("a past in a buffer that is shared with the present");
  if (e.node().int_or("do_rotary", 0) != 0) e.unsupported("do_rotary");
  const AttentionSlots slots{.heads = head_count(e),
                             .mask = kMask,
                             .bias = kBias,
                             .scale = e.node().float_or("scale", 0),
                             .masked = e.node().float_or("mask_filter_value", -10000),
                             .causal = e.node().int_or("unidirectional", 0) != 0};
  const std::vector<std::int64_t> sizes = parts(e);
  ValueId projected = e.add("MatMul", {e.in(0), e.in(1)});
  if (e.has(2)) projected = e.add("Add", {projected, e.in(2)});
  const std::vector<ValueId> qkv = e.split(projected, 2, sizes);
  const ValueId q = split_heads(e, qkv[0], slots.heads);
  ValueId k = split_heads(e, qkv[1], slots.heads), v = split_heads(e, qkv[2], slots.heads);
  if (e.has(kPast)) {
    k = with_past(e, k, 0);
    v = with_past(e, v, 1);
  }
  e.output(0, attend(e, slots, q, k, v, sizes[0] / slots.heads));
  if (e.wants(1))
    e.output(1, e.add("Concat", {e.squeeze("Unsqueeze", k, {0}), e.squeeze("Unsqueeze", v, {0})},
                      {{"axis", std::int64_t{0}}}));
}

}  // namespace

extern const Expand expandMsAttention = expand;
extern const Operator kMsAttention =
    expanded_operator<expand>("Attention", kMicrosoft, 2, 7,
                              {"do_rotary", "mask_filter_value", "num_heads", "past_present_share_buffer",
                               "qkv_hidden_sizes", "rotary_embedding_dim", "scale", "unidirectional"},
                              2);

}  // namespace pare::ir::ops
