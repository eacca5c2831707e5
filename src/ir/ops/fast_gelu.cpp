// FastGelu (com.microsoft): the tanh approximation of Gelu(X + bias).
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const DType dtype = e.facts(0).dtype;
  const ValueId x = e.has(1) ? e.add("Add", {e.in(0), e.in(1)}) : e.in(0);
  const ValueId cube = e.add("Mul", {x, e.add("Mul", {x, x})});
  const ValueId inner = e.add("Add", {x, e.add("Mul", {cube, e.scalar(0.044715, dtype)})});
  const ValueId curve = e.add("Tanh", {e.add("Mul", {inner, e.scalar(0.7978845608028654, dtype)})});
  const ValueId half = e.add("Mul", {x, e.scalar(0.5, dtype)});
  e.output(0, e.add("Mul", {half, e.add("Add", {curve, e.scalar(1, dtype)})}));
}

}  // namespace

extern const Expand expandFastGelu = expand;
extern const Operator kFastGelu = expanded_operator<expand>("FastGelu", kMicrosoft, 1, 2, {});

}  // namespace pare::ir::ops
