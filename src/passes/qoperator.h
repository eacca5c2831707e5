// QOperator form: quantized operators that take integers, scales and zero points, as files were written before QDQ.
#pragma once

#include <string>
#include <vector>

#include "ir/model.h"

namespace pare::passes {

struct QOperators {
  struct Kept {
    std::string node, reason;
  };
  int converted = 0;
  bool microsoft = false;  ///< some are of com.microsoft, since ONNX itself has none
  std::vector<Kept> kept;  ///< operators over dequantized values that stay as they are, and why
};

/// QDQ form → QOperator form (the reverse of expand_qoperators):
///   DequantizeLinear… → Conv → [Relu, Clip →] QuantizeLinear      becomes   QLinearConv             (ai.onnx)
///   DequantizeLinear… → MatMul → QuantizeLinear                   becomes   QLinearMatMul           (ai.onnx)
///   DequantizeLinear… → MatMul [→ Add of a vector]                becomes   MatMulIntegerToFloat    (com.microsoft)
///   DequantizeLinear… → Gemm [→ Relu, Clip → QuantizeLinear]      becomes   QGemm                   (com.microsoft)
///   … Add, AveragePool, GlobalAveragePool … likewise              becomes   QLinear…                (com.microsoft)
///   DequantizeLinear → MaxPool, Reshape, … → QuantizeLinear of the same parameters   becomes   the operator on integers
/// Conditions: 8 bits, constant parameters, an activation that the QuantizeLinear behind it does anyway by saturating,
/// int32 biases. Values are the same, but for ties of a runtime's rounding. Everything else stays in QDQ form.
QOperators to_qoperators(ir::Model& model);

}  // namespace pare::passes
