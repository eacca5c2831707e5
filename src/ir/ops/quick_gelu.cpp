// QuickGelu (com.microsoft): x · sigmoid(alpha · x).
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const ValueId alpha = e.scalar(e.node().float_or("alpha", 1.702F), e.facts(0).dtype);
  e.output(0, e.add("Mul", {e.in(0), e.add("Sigmoid", {e.add("Mul", {e.in(0), alpha})})}));
}

}  // namespace

extern const Expand expandQuickGelu = expand;
extern const Operator kQuickGelu = expanded_operator<expand>("QuickGelu", kMicrosoft, 1, 1, {"alpha"});

}  // namespace pare::ir::ops
