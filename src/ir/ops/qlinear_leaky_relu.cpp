// QLinearLeakyRelu (com.microsoft): LeakyRelu over a quantized input, quantized.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const ValueId leaked = e.add("LeakyRelu", {e.dequantize(e.in(0), 1, 2)}, e.own({"alpha"}));
  e.output(0, e.quantize(leaked, 3, 4));
}

}  // namespace

extern const Expand expandQLinearLeakyRelu = expand;
extern const Operator kQLinearLeakyRelu = expanded_operator<expand>("QLinearLeakyRelu", kMicrosoft, 4, 5, {"alpha"});

}  // namespace pare::ir::ops
