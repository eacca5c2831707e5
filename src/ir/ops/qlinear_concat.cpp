// QLinearConcat (com.microsoft): inputs Y_scale, Y_zero_point, then (x, scale, zero point) of each operand.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  std::vector<ValueId> parts;
  if (e.node().inputs.size() % 3 != 2)
    e.fail("wrong number of inputs", "2 and 3 for each operand", std::to_string(e.node().inputs.size()));
  for (std::size_t slot = 2; slot < e.node().inputs.size(); slot += 3)
    parts.push_back(e.dequantize(e.in(slot), slot + 1, slot + 2));
  e.output(0, e.quantize(e.add("Concat", parts, e.own({"axis"})), 0, 1));
}

}  // namespace

extern const Expand expandQLinearConcat = expand;
extern const Operator kQLinearConcat = expanded_operator<expand>("QLinearConcat", kMicrosoft, 5, -1, {"axis"});

}  // namespace pare::ir::ops
