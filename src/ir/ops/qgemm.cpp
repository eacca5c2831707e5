// QGemm (com.microsoft): alpha · op(A) · op(B) + C over quantized operands; C is int32 of scale alpha · a_scale ·
// b_scale (b_scale may be one a column). Quantized where y_scale is given, else float.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const bool trans_b = e.node().int_or("transB", 0) != 0;
  const float alpha = e.node().float_or("alpha", 1);
  const ValueId a = e.dequantize(e.in(0), 1, 2), b = e.dequantize(e.in(3), 4, 5, trans_b ? 0 : 1);
  ValueId bias = kNoValue;
  if (e.has(6)) {
    ValueId unit = e.add("Mul", {e.in(1), e.in(4)});
    if (alpha != 1) unit = e.add("Mul", {unit, e.scalar(alpha, DType::kFloat32)});
    bias = e.add("DequantizeLinear", {e.in(6), unit}, {{"axis", e.rank(6) - 1}});
  }
  const ValueId y = e.add("Gemm", {a, b, bias}, e.own({"alpha", "transA", "transB"}));
  e.output(0, e.has(7) ? e.quantize(y, 7, 8) : y);
}

}  // namespace

extern const Expand expandQGemm = expand;
extern const Operator kQGemm = expanded_operator<expand>("QGemm", kMicrosoft, 6, 9, {"alpha", "transA", "transB"});

}  // namespace pare::ir::ops
