// EmbedLayerNormalization (com.microsoft): LayerNormalization of word + position + segment embeddings; output 1 counts
// the mask, output 2 is the sum before normalization.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  for (std::size_t slot : {2, 3, 5, 6})
    if (!e.has(slot)) e.fail("input " + std::to_string(slot) + " is missing");
  const DType ids = e.facts(0).dtype;
  ValueId positions = e.in(8);
  if (!e.has(8)) {
    const ValueId length = e.add("Gather", {e.add("Shape", {e.in(0)}), e.scalar(1, DType::kInt64)});
    positions = e.add("Range", {e.scalar(0, DType::kInt64), length, e.scalar(1, DType::kInt64)});
  }
  ValueId sum = e.add("Add", {e.add("Gather", {e.in(2), e.in(0)}), e.add("Gather", {e.in(3), positions})});
  if (e.has(1)) sum = e.add("Add", {sum, e.add("Gather", {e.in(4), e.in(1)})});
  const ValueId norm = e.normalized(sum, e.node().float_or("epsilon", 1e-12F), true);
  e.output(0, e.add("Add", {e.add("Mul", {norm, e.in(5)}), e.in(6)}));
  e.output(2, sum);
  if (!e.wants(1)) return;
  const ValueId mask = e.has(7) ? e.in(7) : e.add("Mul", {e.in(0), e.scalar(0, ids)});
  e.output(
      1, e.add("Cast", {e.reduce("ReduceSum", mask, {1}, false)}, {{"to", static_cast<std::int64_t>(DType::kInt32)}}));
}

}  // namespace

extern const Expand expandEmbedLayerNormalization = expand;
extern const Operator kEmbedLayerNormalization =
    expanded_operator<expand>("EmbedLayerNormalization", kMicrosoft, 1, 9, {"epsilon", "mask_index_type"}, 3);

}  // namespace pare::ir::ops
