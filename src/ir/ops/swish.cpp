// Swish (opset 24): x · sigmoid(alpha · x).
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const float alpha = e.node().float_or("alpha", 1);
  const ValueId scaled = alpha == 1 ? e.in(0) : e.add("Mul", {e.in(0), e.scalar(alpha, e.facts(0).dtype)});
  e.output(0, e.add("Mul", {e.in(0), e.add("Sigmoid", {scaled})}));
}

}  // namespace

extern const Expand expandSwish = expand;
extern const Operator kSwish = [] {
  Operator op = expanded_operator<expand>("Swish", "", 1, 1, {"alpha"});
  op.since = 24;
  return op;
}();

}  // namespace pare::ir::ops
