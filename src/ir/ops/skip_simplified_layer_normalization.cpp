// SkipSimplifiedLayerNormalization (com.microsoft): input + skip + bias over its root mean square on the last axis,
// times gamma; output 3 is that sum.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  ValueId sum = e.add("Add", {e.in(0), e.in(1)});
  if (e.has(3)) sum = e.add("Add", {sum, e.in(3)});
  e.output(0, e.add("Mul", {e.normalized(sum, e.node().float_or("epsilon", 1e-12F), false), e.in(2)}));
  e.output(3, sum);
}

}  // namespace

extern const Expand expandSkipSimplifiedLayerNormalization = expand;
extern const Operator kSkipSimplifiedLayerNormalization =
    expanded_operator<expand>("SkipSimplifiedLayerNormalization", kMicrosoft, 3, 4, {"epsilon"}, 4);

}  // namespace pare::ir::ops
