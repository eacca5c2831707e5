// SimplifiedLayerNormalization (an addition of ONNX Runtime to ai.onnx): x over its root mean square on the last axis,
// times scale.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const std::int64_t axis = e.node().int_or("axis", -1);
  if (axis != -1 && axis != e.rank(0) - 1) e.unsupported("an axis other than the last");
  e.output(0, e.add("Mul", {e.normalized(e.in(0), e.node().float_or("epsilon", 1e-5F), false), e.in(1)}));
}

}  // namespace

extern const Expand expandSimplifiedLayerNormalization = expand;
extern const Operator kSimplifiedLayerNormalization =
    expanded_operator<expand>("SimplifiedLayerNormalization", "", 2, 2, {"axis", "epsilon", "stash_type"}, 2);

}  // namespace pare::ir::ops
