// Sparse float32 products: used where the zeros of a constant weight are expected to pay.
#pragma once

#include <memory>
#include <string>

#include "kernels/spconv_f32/spconv_f32.h"
#include "runtime/lowerer.h"

namespace pare::runtime {

struct SparseF32Choice {
  std::shared_ptr<const kernels::SpConvF32Weights> weights;  ///< null: dense
  std::string reason;                                        ///< for the plan; "" where the weight is not sparse at all
};

/// Looks at the weight's zeros, whatever put them there; `bias` [out_c] or undefined. The same on every run on a CPU: an
/// estimate in cycles, not a measurement (fitted to bench/kernels/spconv_f32_bench.cpp).
SparseF32Choice choose_sparse_f32(Lowerer& lw, const Group& group, const kernels::ConvShape& shape,
                                  const kernels::FilterStrides& strides, const Tensor& weight, const Tensor& bias);

/// Emits the step, whatever follows the product; `layout` of input, addend and output.
void emit_sparse_f32(Lowerer& lw, const Group& group, const SparseF32Choice& choice, const kernels::ConvShape& shape,
                     Layout layout);

}  // namespace pare::runtime
