// QLinearSigmoid (com.microsoft): sigmoid over a quantized input, quantized.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) { e.output(0, e.quantize(e.add("Sigmoid", {e.dequantize(e.in(0), 1, 2)}), 3, 4)); }

}  // namespace

extern const Expand expandQLinearSigmoid = expand;
extern const Operator kQLinearSigmoid = expanded_operator<expand>("QLinearSigmoid", kMicrosoft, 4, 5, {});

}  // namespace pare::ir::ops
