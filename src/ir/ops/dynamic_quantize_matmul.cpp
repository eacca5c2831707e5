// DynamicQuantizeMatMul (com.microsoft): A quantized to uint8 by its own range, times dequantized B, plus bias.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const std::vector<ValueId> a = e.add_many("DynamicQuantizeLinear", {e.in(0)}, 3);
  const ir::Shape& scale = e.facts(2).shape;
  const std::int64_t axis = scale.ranked() && scale.rank() == 0 ? 0 : e.rank(1) - 1;
  ValueId y = e.add("MatMul", {e.add("DequantizeLinear", {a[0], a[1], a[2]}), e.dequantize(e.in(1), 2, 3, axis)});
  if (e.has(4)) y = e.add("Add", {y, e.in(4)});
  e.output(0, y);
}

}  // namespace

extern const Expand expandDynamicQuantizeMatMul = expand;
extern const Operator kDynamicQuantizeMatMul = expanded_operator<expand>("DynamicQuantizeMatMul", kMicrosoft, 3, 5, {});

}  // namespace pare::ir::ops
