// GPTQ (Frantar et al., GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers, 2023): rounds
// a layer's weights one input after the other and lets the inputs that are left make up for each error.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compress/targets.h"
#include "passes/qdq.h"

namespace pare::compress {

struct GptqOptions {
  bool act_order = true;   ///< inputs of most energy first ("desc_act")
  double damping = 0.01;   ///< of the mean of H's diagonal, added to the diagonal
  int refine = 0;          ///< sweeps of coordinate descent over the result (refine.h)
};

/// The layer's integers on the grid of `params` (scales are fixed beforehand: the authors' "static groups", so that
/// act_order and groups go together). `hessian`: Σ x xᵀ over samples, row-major over columns t·inputs + i of the
/// weight's view; of a convolution with groups one after the other, [groups, columns, columns]. For the output row w,
/// with H⁻¹ = UᵀU upper triangular, each column j in turn: q_j = round(w_j), w_k ← w_k − (w_j − q_j)·U_jk/U_jj for
/// k > j (equations 2 and 3, step 3 of the algorithm). Columns that never see an input are rounded to the nearest. Weights that are exactly
/// 0 stay it: they may be pruned.
Tensor gptq(const Tensor& weight, const ir::WeightView& view, const passes::QuantParams& params,
            std::span<const double> hessian, std::int64_t groups, const GptqOptions& options);

/// The levels of gptq() before the sweeps of `options.refine`, unpacked.
std::vector<std::int32_t> gptq_levels(const Tensor& weight, const ir::WeightView& view,
                                      const passes::QuantParams& params, std::span<const double> hessian,
                                      std::int64_t groups, const GptqOptions& options);

}  // namespace pare::compress
