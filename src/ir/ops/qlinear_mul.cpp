// QLinearMul (com.microsoft): A · B over quantized operands, quantized.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const ValueId product = e.add("Mul", {e.dequantize(e.in(0), 1, 2), e.dequantize(e.in(3), 4, 5)});
  e.output(0, e.quantize(product, 6, 7));
}

}  // namespace

extern const Expand expandQLinearMul = expand;
extern const Operator kQLinearMul = expanded_operator<expand>("QLinearMul", kMicrosoft, 7, 8, {});

}  // namespace pare::ir::ops
