// QLinearMatMul: MatMul over quantized operands, quantized. Scales are one number, or one a row of a, a column of b.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const auto axis = [&](std::size_t slot, std::int64_t from_end) {
    const ir::Shape& scale = e.facts(slot + 1).shape;
    if (scale.ranked() && scale.rank() > 1) e.unsupported("a scale of rank 2 or more");
    return !scale.ranked() || scale.rank() == 0 ? std::int64_t{0} : e.rank(slot) - from_end;
  };
  const ValueId a = e.dequantize(e.in(0), 1, 2, axis(0, 2)), b = e.dequantize(e.in(3), 4, 5, axis(3, 1));
  e.output(0, e.quantize(e.add("MatMul", {a, b}), 6, 7));
}

}  // namespace

extern const Expand expandQLinearMatMul = expand;
extern const Operator kQLinearMatMul = expanded_operator<expand>("QLinearMatMul", "", 8, 8, {});

}  // namespace pare::ir::ops
