// QLinearAdd (com.microsoft): A + B over quantized operands, quantized.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const ValueId sum = e.add("Add", {e.dequantize(e.in(0), 1, 2), e.dequantize(e.in(3), 4, 5)});
  e.output(0, e.quantize(sum, 6, 7));
}

}  // namespace

extern const Expand expandQLinearAdd = expand;
extern const Operator kQLinearAdd = expanded_operator<expand>("QLinearAdd", kMicrosoft, 7, 8, {});

}  // namespace pare::ir::ops
