// QLinearSoftmax (com.microsoft): Softmax over a quantized input, quantized. Before opset 13 all axes from `axis` on
// are one.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const std::int64_t axis = e.node().int_or("axis", -1);
  const bool last = axis == -1 || axis == e.rank(0) - 1;
  if (e.node().int_or("opset", 13) < 13 && !last) e.unsupported("a Softmax of opset 12 over several axes");
  const ValueId soft = e.add("Softmax", {e.dequantize(e.in(0), 1, 2)}, {{"axis", last ? std::int64_t{-1} : axis}});
  e.output(0, e.quantize(soft, 3, 4));
}

}  // namespace

extern const Expand expandQLinearSoftmax = expand;
extern const Operator kQLinearSoftmax =
    expanded_operator<expand>("QLinearSoftmax", kMicrosoft, 5, 5, {"axis", "opset"});

}  // namespace pare::ir::ops
