#include "kernels/float_epilogue.h"

namespace pare::kernels {

bool is_fused(UnaryOp op) noexcept {
  return op == UnaryOp::kIdentity || op == UnaryOp::kRelu || op == UnaryOp::kHardSwish || op == UnaryOp::kSilu ||
         op == UnaryOp::kSigmoid || op == UnaryOp::kGelu || op == UnaryOp::kGeluTanh;
}

}  // namespace pare::kernels
