// SkipLayerNormalization (com.microsoft): LayerNormalization of input + skip + bias over the last axis; output 3 is
// that sum.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  ValueId sum = e.add("Add", {e.in(0), e.in(1)});
  if (e.has(4)) sum = e.add("Add", {sum, e.in(4)});
  ValueId y = e.add("Mul", {e.normalized(sum, e.node().float_or("epsilon", 1e-12F), true), e.in(2)});
  if (e.has(3)) y = e.add("Add", {y, e.in(3)});
  e.output(0, y);
  e.output(3, sum);
}

}  // namespace

extern const Expand expandSkipLayerNormalization = expand;
extern const Operator kSkipLayerNormalization =
    expanded_operator<expand>("SkipLayerNormalization", kMicrosoft, 3, 5, {"epsilon"}, 4);

}  // namespace pare::ir::ops
