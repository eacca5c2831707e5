// QuantEase (Behdin et al., QuantEase: Optimization-based Quantization for Language Models, 2023): cyclic coordinate
// descent on a layer's output error over the integer grid, from whatever rounding there is.
#pragma once

#include <cstdint>
#include <span>

#include "compress/targets.h"
#include "passes/qdq.h"

namespace pare::compress {

/// `sweeps` times over all inputs, each weight in turn becomes the grid's best while all others stay (equation 5):
///   ŵ_j ← q(w_j − Σ_{k≠j} H_jk (ŵ_k − w_k) / H_jj)
/// so (ŵ − w)ᵀH(ŵ − w) of each output never grows. Weights that are exactly 0 stay at the zero point. `hessian` as for
/// gptq(), undamped: an input that was never seen leaves its weights as they are. Ends early when nothing changes.
void refine(std::span<const float> weight, const ir::WeightView& view, const passes::QuantParams& params,
            const passes::ParamMap& map, std::span<const double> hessian, std::int64_t groups, int sweeps,
            std::span<std::int32_t> integers);

}  // namespace pare::compress
