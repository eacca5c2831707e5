// Sparse integer kernels: used where the zeros of a constant weight are expected to pay.
#pragma once

#include "kernels/spconv/spconv.h"
#include "kernels/spconv_1x4/spconv_1x4.h"
#include "runtime/lower/product.h"

namespace pare::runtime {

/// The sparse form of an integer product; neither is set: dense.
struct SparseChoice {
  std::shared_ptr<const kernels::SpConvWeights> gathered;   ///< kernels/spconv
  std::shared_ptr<const kernels::SpConv1x4Weights> blocks;  ///< kernels/spconv_1x4
  std::string reason;  ///< for the plan; "" where the weight is not sparse at all

  bool chosen() const { return gathered || blocks; }
  std::string kernel_name() const { return gathered ? gathered->kernel_name() : blocks->kernel_name(); }
  std::size_t bytes() const { return gathered ? gathered->bytes() : blocks->bytes(); }
  std::size_t scratch_bytes(int threads) const {
    return gathered ? kernels::spconv_scratch_bytes(*gathered, threads)
                    : kernels::spconv_1x4_scratch_bytes(*blocks, threads);
  }
  void run(const kernels::ConvShape& shape, const void* in, const kernels::QConvEpilogue& epilogue, void* out,
           void* scratch, int threads) const {
    if (gathered) return kernels::spconv(*gathered, shape, in, epilogue, out, scratch, threads);
    kernels::spconv_1x4(*blocks, shape, in, epilogue, out, scratch, threads);
  }
};

/// Looks at the weight's zeros, whatever put them there. `amx`: the dense product would run on AMX tiles. The same on
/// every run on a CPU: an estimate in cycles, not a measurement (fitted to bench/kernels/spconv_bench.cpp).
SparseChoice choose_sparse(Lowerer& lw, const Group& group, const IntegerProduct& product,
                           const kernels::FilterStrides& strides, const std::vector<std::int32_t>& bias,
                           const kernels::ConvShape& shape, bool amx);

}  // namespace pare::runtime
