// RotaryEmbedding (opset 23; Su et al., arXiv:2104.09864): pairs (x1, x2) of the first rotary_embedding_dim elements of
// each head turn by the angles of the caches: (cos·x1 − sin·x2, sin·x1 + cos·x2). Pairs are halves, or neighbours
// (interleaved). X is [B, heads, S, D] or [B, S, heads·D].
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

constexpr std::int64_t kEnd = INT64_MAX;

/// [B, S, 1, rotated / 2] of a cache.
ValueId angles(Expansion& e, std::size_t slot) {
  const ValueId cache = e.has(3) ? e.add("Gather", {e.in(slot), e.in(3)}) : e.in(slot);
  return e.squeeze("Unsqueeze", cache, {2});
}

void expand(Expansion& e) {
  const bool flat = e.rank(0) == 3;
  if (!flat && e.rank(0) != 4) e.fail("X has the wrong rank", "3 or 4", std::to_string(e.rank(0)));
  const std::int64_t heads = e.node().int_or("num_heads", 0);
  if (flat && heads < 1) e.fail("attribute 'num_heads' is missing for an input of rank 3");
  const ValueId x = flat ? e.reshape(e.in(0), {0, 0, heads, -1}) : e.transpose(e.in(0), {0, 2, 1, 3});
  const std::int64_t size = flat ? e.size(0, 2) / heads : e.size(0, 3);
  const std::int64_t declared = e.node().int_or("rotary_embedding_dim", 0), rotated = declared > 0 ? declared : size;
  if (rotated > size || rotated % 2 != 0)
    e.fail("rotary_embedding_dim is out of range", "an even number up to " + std::to_string(size),
           std::to_string(rotated));
  const bool neighbours = e.node().int_or("interleaved", 0) != 0;
  const ValueId turning = rotated == size ? x : e.slice(x, 3, 0, rotated);
  const ValueId a = neighbours ? e.slice(turning, 3, 0, kEnd, 2) : e.slice(turning, 3, 0, rotated / 2);
  const ValueId b = neighbours ? e.slice(turning, 3, 1, kEnd, 2) : e.slice(turning, 3, rotated / 2, rotated);
  const ValueId cos = angles(e, 1), sin = angles(e, 2);
  ValueId real = e.add("Sub", {e.add("Mul", {cos, a}), e.add("Mul", {sin, b})});
  ValueId imaginary = e.add("Add", {e.add("Mul", {sin, a}), e.add("Mul", {cos, b})});
  ValueId y = kNoValue;
  if (neighbours) {
    real = e.squeeze("Unsqueeze", real, {4});
    imaginary = e.squeeze("Unsqueeze", imaginary, {4});
    y = e.reshape(e.add("Concat", {real, imaginary}, {{"axis", std::int64_t{4}}}), {0, 0, 0, rotated});
  } else {
    y = e.add("Concat", {real, imaginary}, {{"axis", std::int64_t{3}}});
  }
  if (rotated != size) y = e.add("Concat", {y, e.slice(x, 3, rotated, size)}, {{"axis", std::int64_t{3}}});
  e.output(0, flat ? e.reshape(y, {0, 0, -1}) : e.transpose(y, {0, 2, 1, 3}));
}

}  // namespace

extern const Expand expandRotaryEmbedding = expand;
extern const Operator kRotaryEmbedding = {
    .op_type = "RotaryEmbedding",
    .since = 23,
    .min_inputs = 3,
    .max_inputs = 4,
    .attributes = {"interleaved", "num_heads", "rotary_embedding_dim"},
    .infer = infer_expanded<expand>,
    .evaluate = evaluate_expanded<expand>,
    .macs = macs_expanded<expand>,
};

}  // namespace pare::ir::ops
