// QLinearAveragePool (com.microsoft): AveragePool of a quantized input, quantized; NHWC if channels_last.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const bool last = e.node().int_or("channels_last", 0) != 0;
  const ValueId x = e.channels_first(e.dequantize(e.in(0), 1, 2), last, 0);
  const ValueId pooled = e.add(
      "AveragePool", {x}, e.own({"auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides"}));
  e.output(0, e.quantize(e.channels_last(pooled, last, 0), 3, 4));
}

}  // namespace

extern const Expand expandQLinearAveragePool = expand;
extern const Operator kQLinearAveragePool = expanded_operator<expand>(
    "QLinearAveragePool", kMicrosoft, 4, 5,
    {"auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides", "channels_last"});

}  // namespace pare::ir::ops
