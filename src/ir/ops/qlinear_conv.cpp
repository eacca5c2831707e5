// QLinearConv: Conv over a quantized input and weight, quantized; the int32 bias has scale x_scale · w_scale.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const ValueId x = e.dequantize(e.in(0), 1, 2), w = e.dequantize(e.in(3), 4, 5, 0);
  ValueId bias = kNoValue;
  if (e.has(8))
    bias = e.add("DequantizeLinear", {e.in(8), e.add("Mul", {e.in(1), e.in(4)})}, {{"axis", std::int64_t{0}}});
  const ValueId y =
      e.add("Conv", {x, w, bias}, e.own({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}));
  e.output(0, e.quantize(y, 6, 7));
}

}  // namespace

extern const Expand expandQLinearConv = expand;
extern const Operator kQLinearConv = expanded_operator<expand>(
    "QLinearConv", "", 8, 9, {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"});

}  // namespace pare::ir::ops
