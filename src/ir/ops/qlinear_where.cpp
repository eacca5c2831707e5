// QLinearWhere (com.microsoft): condition ? X : Y over quantized operands, quantized.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const ValueId chosen = e.add("Where", {e.in(0), e.dequantize(e.in(1), 2, 3), e.dequantize(e.in(4), 5, 6)});
  e.output(0, e.quantize(chosen, 7, 8));
}

}  // namespace

extern const Expand expandQLinearWhere = expand;
extern const Operator kQLinearWhere = expanded_operator<expand>("QLinearWhere", kMicrosoft, 9, 9, {});

}  // namespace pare::ir::ops
