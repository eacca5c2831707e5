#include "kernels/float_epilogue.h"

namespace pare::kernels {

bool is_fused(UnaryOp op) {
  if (op == UnaryOp::kIdentity || op == UnaryOp::kRelu) return true;
  const bool known =
      op == UnaryOp::kHardSwish || op == UnaryOp::kSilu || op == UnaryOp::kSigmoid || op == UnaryOp::kGelu;
  return known && isa_available(Isa::kAvx512);
}

}  // namespace pare::kernels
