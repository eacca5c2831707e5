// Attention (opset 23): softmax(softcap(Q·scale·Kᵀ) + mask)·V over heads [B, heads, S, D], or [B, S, heads·D] with the
// heads counted by attributes. Fewer key/value heads than query heads are each used by a group (GQA). Past keys and
// values come first. Causal: query i sees key j ≤ i + length of the past. Opset 24 adds caches that are longer than
// what they hold, 25 windows. A row that sees nothing is zero.
#include <cmath>

#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

constexpr std::size_t kMask = 3, kPastKey = 4, kPastValue = 5, kNonpadLength = 6;

/// [B, heads, S, D] of an input.
ValueId heads_of(Expansion& e, std::size_t slot, const char* attribute) {
  if (e.rank(slot) == 4) return e.in(slot);
  if (e.rank(slot) != 3) e.fail("Q, K or V has the wrong rank", "3 or 4", std::to_string(e.rank(slot)));
  const std::int64_t heads = e.node().int_or(attribute, 0);
  if (heads < 1) e.fail(std::string("attribute '") + attribute + "' is missing for inputs of rank 3");
  return e.transpose(e.reshape(e.in(slot), {0, 0, heads, -1}), {0, 2, 1, 3});
}

std::int64_t head_count(const Expansion& e, std::size_t slot, const char* attribute) {
  return e.rank(slot) == 4 ? e.size(slot, 1) : e.node().int_or(attribute, 0);
}

std::int64_t head_size(const Expansion& e, std::size_t slot, const char* attribute) {
  return e.rank(slot) == 4 ? e.size(slot, 3)
                           : e.size(slot, 2) / std::max<std::int64_t>(1, head_count(e, slot, attribute));
}

/// Every key/value head once for each query head of its group.
ValueId repeated(Expansion& e, ValueId x, std::size_t slot) {
  const std::int64_t q = head_count(e, 0, "q_num_heads"), kv = head_count(e, slot, "kv_num_heads");
  if (q == kv) return x;
  if (kv < 1 || q % kv != 0)
    e.fail("query heads are not a multiple of the key/value heads", "a multiple of " + std::to_string(kv),
           std::to_string(q));
  const std::vector<ValueId> copies(static_cast<std::size_t>(q / kv), e.squeeze("Unsqueeze", x, {2}));
  const ValueId all = e.add("Concat", copies, {{"axis", std::int64_t{2}}});
  return e.reshape(all, {0, q, -1, head_size(e, slot, "kv_num_heads")});
}

ValueId length(Expansion& e, ValueId x, std::int64_t axis) {
  return e.add("Gather", {e.add("Shape", {x}), e.scalar(static_cast<double>(axis), DType::kInt64)});
}

/// 0 where `allowed`, −∞ elsewhere.
ValueId bias_of(Expansion& e, ValueId allowed, DType dtype) {
  return e.add("Where", {allowed, e.scalar(0, dtype), e.scalar(-INFINITY, dtype)});
}

/// Positions of the queries among the keys: [S, 1], or [B, 1, S, 1] where the cache ends at each sample's own length.
ValueId query_positions(Expansion& e, ValueId q) {
  const ValueId zero = e.scalar(0, DType::kInt64), one = e.scalar(1, DType::kInt64);
  const ValueId count = length(e, q, 2);
  const ValueId rows = e.squeeze("Unsqueeze", e.add("Range", {zero, count, one}), {1});
  if (e.has(kPastKey)) return e.add("Add", {rows, length(e, e.in(kPastKey), 2)});
  if (!e.has(kNonpadLength)) return rows;
  return e.add("Add", {rows, e.add("Sub", {e.squeeze("Unsqueeze", e.in(kNonpadLength), {1, 2, 3}), count})});
}

/// Which keys a query may see by their positions, as something to add, or kNoValue: all. Query p sees key j where
/// j ≤ p if causal, p − left ≤ j ≤ p + right for the windows that are set (opset 25), j < nonpad_kv_seqlen (opset 24).
ValueId position_bias(Expansion& e, ValueId q, ValueId k, DType dtype) {
  const ValueId columns = e.add("Range", {e.scalar(0, DType::kInt64), length(e, k, 2), e.scalar(1, DType::kInt64)});
  ValueId allowed = kNoValue;
  const auto require = [&](ValueId condition) {
    allowed = allowed == kNoValue ? condition : e.add("And", {allowed, condition});
  };
  const std::int64_t left = e.node().int_or("left_window_size", -1), right = e.node().int_or("right_window_size", -1);
  const bool is_causal = e.node().int_or("is_causal", 0) != 0;
  if (is_causal || left >= 0 || right >= 0) {
    const ValueId rows = query_positions(e, q);
    if (is_causal) require(e.add("LessOrEqual", {columns, rows}));
    if (left >= 0)
      require(
          e.add("GreaterOrEqual", {columns, e.add("Sub", {rows, e.scalar(static_cast<double>(left), DType::kInt64)})}));
    if (right >= 0)
      require(
          e.add("LessOrEqual", {columns, e.add("Add", {rows, e.scalar(static_cast<double>(right), DType::kInt64)})}));
  }
  if (e.has(kNonpadLength)) require(e.add("Less", {columns, e.squeeze("Unsqueeze", e.in(kNonpadLength), {1, 2, 3})}));
  return allowed == kNoValue ? kNoValue : bias_of(e, allowed, dtype);
}

/// The mask as something to add; where it is shorter than the keys, what it lacks is masked.
ValueId mask_bias(Expansion& e, ValueId k, DType dtype) {
  ValueId mask = e.in(kMask);
  if (e.facts(kMask).dtype == DType::kBool) mask = bias_of(e, mask, dtype);
  const bool square = e.has(kPastKey) || !e.facts(kMask).shape[-1].same_as(e.facts(1).shape[e.rank(1) == 4 ? 2 : 1]);
  if (!square) return mask;
  const ValueId missing = e.add("Sub", {length(e, k, 2), length(e, mask, e.rank(kMask) - 1)});
  const std::vector<std::int64_t> none(static_cast<std::size_t>(2 * e.rank(kMask) - 1), 0);
  const ValueId pads =
      e.add("Concat", {e.ints(none), e.squeeze("Unsqueeze", missing, {0})}, {{"axis", std::int64_t{0}}});
  return e.add("Pad", {mask, pads, e.scalar(-INFINITY, dtype)});
}

ValueId total_bias(Expansion& e, ValueId q, ValueId k, DType dtype) {
  const ValueId seen = position_bias(e, q, k, dtype);
  if (!e.has(kMask)) return seen;
  const ValueId mask = mask_bias(e, k, dtype);
  return seen == kNoValue ? mask : e.add("Add", {mask, seen});
}

/// Softmax in the declared precision; rows whose bias masks every key are zero.
ValueId weights_of(Expansion& e, ValueId scores, ValueId bias, DType dtype) {
  const std::int64_t precision = e.node().int_or("softmax_precision", static_cast<std::int64_t>(dtype));
  const bool casts = precision != static_cast<std::int64_t>(dtype);
  if (casts) scores = e.add("Cast", {scores}, {{"to", precision}});
  ValueId weights = e.add("Softmax", {scores}, {{"axis", std::int64_t{-1}}});
  if (casts) weights = e.add("Cast", {weights}, {{"to", static_cast<std::int64_t>(dtype)}});
  if (bias == kNoValue) return weights;
  const ValueId largest = e.reduce("ReduceMax", bias, {-1});
  return e.add("Where", {e.add("Equal", {largest, e.scalar(-INFINITY, dtype)}), e.scalar(0, dtype), weights});
}

ValueId scores_of(Expansion& e, ValueId q, ValueId k, DType dtype) {
  const double own = 1 / std::sqrt(static_cast<double>(head_size(e, 0, "q_num_heads")));
  const ValueId scale = e.scalar(std::sqrt(e.node().float_or("scale", static_cast<float>(own))), dtype);
  const ValueId scaled = e.transpose(e.add("Mul", {k, scale}), {0, 1, 3, 2});
  const ValueId scores = e.add("MatMul", {e.add("Mul", {q, scale}), scaled});
  const float cap = e.node().float_or("softcap", 0);
  if (cap <= 0) return scores;
  const ValueId limit = e.scalar(cap, dtype);
  return e.add("Mul", {e.add("Tanh", {e.add("Div", {scores, limit})}), limit});
}

void expand(Expansion& e) {
  const DType dtype = e.facts(0).dtype;
  if (e.has(kPastKey) != e.has(kPastValue)) e.fail("past_key and past_value come together");
  const ValueId q = heads_of(e, 0, "q_num_heads");
  ValueId k = heads_of(e, 1, "kv_num_heads"), v = heads_of(e, 2, "kv_num_heads");
  if (e.has(kPastKey)) {
    k = e.add("Concat", {e.in(kPastKey), k}, {{"axis", std::int64_t{2}}});
    v = e.add("Concat", {e.in(kPastValue), v}, {{"axis", std::int64_t{2}}});
  }
  e.output(1, k);
  e.output(2, v);
  const ValueId scores = scores_of(e, q, repeated(e, k, 1), dtype);
  const ValueId bias = total_bias(e, q, k, dtype);
  const ValueId biased = bias == kNoValue ? scores : e.add("Add", {scores, bias});
  const ValueId weights = weights_of(e, biased, bias, dtype);
  const std::int64_t mode = e.node().int_or("qk_matmul_output_mode", 0);
  if (mode < 0 || mode > 3) e.fail("attribute 'qk_matmul_output_mode' is out of range", "0 to 3", std::to_string(mode));
  e.output(3, mode < 2 ? scores : mode == 2 ? biased : weights);
  ValueId y = e.add("MatMul", {weights, repeated(e, v, 2)});
  if (e.rank(0) == 3) y = e.reshape(e.transpose(y, {0, 2, 1, 3}), {0, 0, -1});
  e.output(0, y);
}

}  // namespace

extern const Expand expandAttention = expand;
extern const Operator kAttention = {
    .op_type = "Attention",
    .since = 23,
    .min_inputs = 3,
    .max_inputs = 7,
    .max_outputs = 4,
    .attributes = {"is_causal", "kv_num_heads", "left_window_size", "q_num_heads", "qk_matmul_output_mode",
                   "right_window_size", "scale", "softcap", "softmax_precision"},
    .infer = infer_expanded<expand>,
    .evaluate = evaluate_expanded<expand>,
    .macs = macs_expanded<expand>,
};

}  // namespace pare::ir::ops
