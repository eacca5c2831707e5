// FusedMatMul (com.microsoft): alpha · op(A) · op(B); trans swaps the last two axes, transBatch moves the first axis
// before the last but one.
#include <algorithm>
#include <numeric>

#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

ValueId turned(Expansion& e, std::size_t slot, const char* swap, const char* batch) {
  const bool swaps = e.node().int_or(swap, 0) != 0, moves = e.node().int_or(batch, 0) != 0;
  if ((!swaps && !moves) || e.rank(slot) < 2) return e.in(slot);
  std::vector<std::int64_t> perm(static_cast<std::size_t>(e.rank(slot)));
  std::iota(perm.begin(), perm.end(), 0);
  if (moves) std::rotate(perm.begin(), perm.begin() + 1, perm.end() - 1);
  if (swaps) std::swap(perm.end()[-1], perm.end()[-2]);
  return e.transpose(e.in(slot), perm);
}

void expand(Expansion& e) {
  ValueId y = e.add("MatMul", {turned(e, 0, "transA", "transBatchA"), turned(e, 1, "transB", "transBatchB")});
  if (const float alpha = e.node().float_or("alpha", 1); alpha != 1)
    y = e.add("Mul", {y, e.scalar(alpha, e.facts(0).dtype)});
  e.output(0, y);
}

}  // namespace

extern const Expand expandFusedMatMul = expand;
extern const Operator kFusedMatMul = expanded_operator<expand>(
    "FusedMatMul", kMicrosoft, 2, 2, {"alpha", "transA", "transB", "transBatchA", "transBatchB"});

}  // namespace pare::ir::ops
