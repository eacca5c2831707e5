// MultiHeadAttention (com.microsoft): attention over heads. Inputs: query [B, S, Q], key [B, T, Q] or [B, heads, T, D],
// value likewise, bias [Q + Q + V] of all three, padding mask, bias of the scores, past key and value
// [B, heads, P, D]. Outputs: [B, S, V], present key and value.
#include "ir/ops/common/heads.h"

namespace pare::ir::ops {
namespace {

constexpr std::size_t kKey = 1, kValue = 2, kProjectionBias = 3, kMask = 4, kBias = 5, kPastKey = 6, kPastValue = 7;

/// The input with its part of the bias, in heads.
ValueId heads_of(Expansion& e, std::size_t slot, std::int64_t heads, std::int64_t first, std::int64_t size) {
  if (e.rank(slot) == 4) return e.in(slot);
  if (e.rank(slot) != 3) e.unsupported("an input " + std::to_string(slot) + " of rank " + std::to_string(e.rank(slot)));
  ValueId x = e.in(slot);
  if (e.has(kProjectionBias)) x = e.add("Add", {x, e.slice(e.in(kProjectionBias), 0, first, first + size)});
  return split_heads(e, x, heads);
}

ValueId after_past(Expansion& e, std::size_t past, ValueId x) {
  return e.has(past) ? e.add("Concat", {e.in(past), x}, {{"axis", std::int64_t{2}}}) : x;
}

void expand(Expansion& e) {
  if (!e.has(kKey) || !e.has(kValue)) e.unsupported("packed keys and values");
  if (e.has(8) || e.has(9)) e.unsupported("a past in a buffer that is shared with the present");
  const AttentionSlots slots{.heads = head_count(e),
                             .mask = kMask,
                             .bias = kBias,
                             .scale = e.node().float_or("scale", 0),
                             .masked = e.node().float_or("mask_filter_value", -10000),
                             .causal = e.node().int_or("unidirectional", 0) != 0};
  const std::int64_t width = e.size(0, 2);
  const std::int64_t values = e.rank(kValue) == 4 ? e.size(kValue, 3) * slots.heads : e.size(kValue, 2);
  const ValueId q = heads_of(e, 0, slots.heads, 0, width);
  const ValueId k = after_past(e, kPastKey, heads_of(e, kKey, slots.heads, width, width));
  const ValueId v = after_past(e, kPastValue, heads_of(e, kValue, slots.heads, 2 * width, values));
  e.output(0, attend(e, slots, q, k, v, width / slots.heads));
  e.output(1, k);
  e.output(2, v);
}

}  // namespace

extern const Expand expandMultiHeadAttention = expand;
extern const Operator kMultiHeadAttention = expanded_operator<expand>(
    "MultiHeadAttention", kMicrosoft, 3, 10, {"mask_filter_value", "num_heads", "scale", "unidirectional"}, 3);

}  // namespace pare::ir::ops
