// QLinearGlobalAveragePool (com.microsoft): mean of each plane of a quantized input, quantized; NHWC if channels_last.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const bool last = e.node().int_or("channels_last", 0) != 0;
  const ValueId x = e.channels_first(e.dequantize(e.in(0), 1, 2), last, 0);
  e.output(0, e.quantize(e.channels_last(e.add("GlobalAveragePool", {x}), last, 0), 3, 4));
}

}  // namespace

extern const Expand expandQLinearGlobalAveragePool = expand;
extern const Operator kQLinearGlobalAveragePool =
    expanded_operator<expand>("QLinearGlobalAveragePool", kMicrosoft, 5, 5, {"channels_last"});

}  // namespace pare::ir::ops
