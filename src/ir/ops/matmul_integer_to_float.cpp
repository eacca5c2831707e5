// MatMulIntegerToFloat (com.microsoft): MatMul of dequantized A and B (scales of B one a column), plus bias.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const ir::Shape& scale = e.facts(3).shape;
  const std::int64_t axis = scale.ranked() && scale.rank() == 0 ? 0 : e.rank(1) - 1;
  ValueId y = e.add("MatMul", {e.dequantize(e.in(0), 2, 4), e.dequantize(e.in(1), 3, 5, axis)});
  if (e.has(6)) y = e.add("Add", {y, e.in(6)});
  e.output(0, y);
}

}  // namespace

extern const Expand expandMatMulIntegerToFloat = expand;
extern const Operator kMatMulIntegerToFloat = expanded_operator<expand>("MatMulIntegerToFloat", kMicrosoft, 4, 7, {});

}  // namespace pare::ir::ops
