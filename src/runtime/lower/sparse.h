// Sparse integer kernels: used where the zeros of a constant weight are expected to pay.
#pragma once

#include "kernels/spconv/spconv.h"
#include "runtime/lower/product.h"

namespace pare::runtime {

struct SparseChoice {
  std::shared_ptr<const kernels::SpConvWeights> weights;  ///< null: dense
  std::string reason;                                     ///< for the plan; "" where the weight is not sparse at all
};

/// Looks at the weight's zeros, whatever put them there. `amx`: the dense product would run on AMX tiles. The same on
/// every run on a CPU: an estimate in cycles, not a measurement (fitted to bench/kernels/spconv_bench.cpp).
SparseChoice choose_sparse(Lowerer& lw, const Group& group, const IntegerProduct& product,
                           const kernels::FilterStrides& strides, const std::vector<std::int32_t>& bias,
                           const kernels::ConvShape& shape, bool amx);

}  // namespace pare::runtime
