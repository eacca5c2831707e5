// QEmbedLayerNormalization (com.microsoft): EmbedLayerNormalization whose embeddings, scale and bias are 8-bit. Inputs:
// ids, segment ids, embeddings of words, positions and segments, gamma, beta, mask, the scales of the five, their zero
// points. The embeddings are dequantized once gathered.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

constexpr std::size_t kWords = 2, kPositions = 3, kSegments = 4, kGamma = 5, kBeta = 6, kMask = 7;
constexpr std::size_t kScales = 6, kZeroPoints = 11;  ///< from an input to its scale and zero point

ValueId real(Expansion& e, ValueId x, std::size_t slot) { return e.dequantize(x, slot + kScales, slot + kZeroPoints); }

ValueId embedding(Expansion& e, std::size_t table, ValueId ids) {
  return real(e, e.add("Gather", {e.in(table), ids}), table);
}

void expand(Expansion& e) {
  for (std::size_t slot : {kWords, kPositions, kGamma, kBeta})
    if (!e.has(slot)) e.fail("input " + std::to_string(slot) + " is missing");
  const ValueId length = e.add("Gather", {e.add("Shape", {e.in(0)}), e.scalar(1, DType::kInt64)});
  const ValueId positions = e.add("Range", {e.scalar(0, DType::kInt64), length, e.scalar(1, DType::kInt64)});
  ValueId sum = e.add("Add", {embedding(e, kWords, e.in(0)), embedding(e, kPositions, positions)});
  if (e.has(1)) sum = e.add("Add", {sum, embedding(e, kSegments, e.in(1))});
  const ValueId norm = e.normalized(sum, e.node().float_or("epsilon", 1e-12F), true);
  e.output(0, e.add("Add", {e.add("Mul", {norm, real(e, e.in(kGamma), kGamma)}), real(e, e.in(kBeta), kBeta)}));
  if (!e.wants(1)) return;
  const ValueId mask = e.has(kMask) ? e.in(kMask) : e.add("Mul", {e.in(0), e.scalar(0, e.facts(0).dtype)});
  e.output(
      1, e.add("Cast", {e.reduce("ReduceSum", mask, {1}, false)}, {{"to", static_cast<std::int64_t>(DType::kInt32)}}));
}

}  // namespace

extern const Expand expandQEmbedLayerNormalization = expand;
extern const Operator kQEmbedLayerNormalization =
    expanded_operator<expand>("QEmbedLayerNormalization", kMicrosoft, 13, 18, {"epsilon"}, 2);

}  // namespace pare::ir::ops
