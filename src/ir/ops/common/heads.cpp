#include "ir/ops/common/heads.h"

#include <cmath>

namespace pare::ir::ops {
namespace {

ValueId length(Expansion& e, ValueId x, std::int64_t axis) {
  return e.add("Gather", {e.add("Shape", {x}), e.scalar(static_cast<double>(axis), DType::kInt64)});
}

/// 0 … n − 1.
ValueId count_to(Expansion& e, ValueId n) {
  return e.add("Range", {e.scalar(0, DType::kInt64), n, e.scalar(1, DType::kInt64)});
}

ValueId bias_of(Expansion& e, ValueId allowed, double masked, DType dtype) {
  return e.add("Where", {allowed, e.scalar(0, dtype), e.scalar(masked, dtype)});
}

/// Which keys an int32 mask of rank 1 allows, [B, T]: those before a row's end, and from its start where it has one.
ValueId allowed_by_lengths(Expansion& e, std::size_t slot, ValueId k) {
  const std::int64_t batch = e.size(0, 0), count = e.size(slot, 0);
  if (count != batch && count != 2 * batch) e.unsupported("a mask of " + std::to_string(count) + " numbers");
  const ValueId ends = e.squeeze("Unsqueeze", e.slice(e.in(slot), 0, 0, batch), {1});
  const ValueId keys =
      e.add("Cast", {count_to(e, length(e, k, 2))}, {{"to", static_cast<std::int64_t>(e.facts(slot).dtype)}});
  const ValueId before = e.add("Less", {keys, ends});
  if (count == batch) return before;
  const ValueId starts = e.squeeze("Unsqueeze", e.slice(e.in(slot), 0, batch, 2 * batch), {1});
  return e.add("And", {before, e.add("Not", {e.add("Less", {keys, starts})})});
}

/// The mask as something to add to scores [B, heads, S, T].
ValueId mask_bias(Expansion& e, const AttentionSlots& slots, ValueId k, DType dtype) {
  const std::int64_t rank = e.rank(slots.mask);
  if (rank == 1)
    return bias_of(e, e.squeeze("Unsqueeze", allowed_by_lengths(e, slots.mask, k), {1, 2}), slots.masked, dtype);
  if (rank > 3) e.unsupported("a mask of rank " + std::to_string(rank));
  const ValueId allowed = e.add("Greater", {e.in(slots.mask), e.scalar(0, e.facts(slots.mask).dtype)});
  const std::vector<std::int64_t> axes = rank == 2 ? std::vector<std::int64_t>{1, 2} : std::vector<std::int64_t>{1};
  return bias_of(e, e.squeeze("Unsqueeze", allowed, axes), slots.masked, dtype);
}

/// [S, T]: a query sees the keys up to its own, which the last keys are.
ValueId causal_bias(Expansion& e, ValueId q, ValueId k, DType dtype) {
  const ValueId queries = length(e, q, 2), keys = length(e, k, 2);
  const ValueId own = e.add("Add", {count_to(e, queries), e.add("Sub", {keys, queries})});
  const ValueId seen = e.add("LessOrEqual", {count_to(e, keys), e.squeeze("Unsqueeze", own, {1})});
  return bias_of(e, seen, -INFINITY, dtype);
}

}  // namespace

std::int64_t head_count(const Expansion& e) {
  const std::int64_t heads = e.node().int_or("num_heads", 0);
  if (heads < 1) e.fail("attribute 'num_heads' is missing or not positive", "1 or more", std::to_string(heads));
  return heads;
}

ValueId split_heads(Expansion& e, ValueId x, std::int64_t heads) {
  return e.transpose(e.reshape(x, {0, 0, heads, -1}), {0, 2, 1, 3});
}

ValueId attend(Expansion& e, const AttentionSlots& slots, ValueId q, ValueId k, ValueId v, std::int64_t head_size) {
  const DType dtype =
      e.facts(0).dtype == DType::kUint8 || e.facts(0).dtype == DType::kInt8 ? DType::kFloat32 : e.facts(0).dtype;
  const double scale = slots.scale > 0 ? slots.scale : 1 / std::sqrt(static_cast<double>(head_size));
  ValueId scores = e.add("MatMul", {q, e.transpose(k, {0, 1, 3, 2})});
  scores = e.add("Mul", {scores, e.scalar(scale, dtype)});
  if (slots.bias != 0 && e.has(slots.bias)) scores = e.add("Add", {scores, e.in(slots.bias)});
  if (slots.mask != 0 && e.has(slots.mask)) scores = e.add("Add", {scores, mask_bias(e, slots, k, dtype)});
  if (slots.causal) scores = e.add("Add", {scores, causal_bias(e, q, k, dtype)});
  const ValueId y = e.add("MatMul", {e.add("Softmax", {scores}, {{"axis", std::int64_t{-1}}}), v});
  return e.reshape(e.transpose(y, {0, 2, 1, 3}), {0, 0, -1});
}

}  // namespace pare::ir::ops
