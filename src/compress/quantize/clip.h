// AWQ's search for the range of a group of weights (Lin et al., AWQ: Activation-aware Weight Quantization for LLM
// Compression and Acceleration, 2023, "weight clipping").
#pragma once

#include "compress/quantize/params.h"
#include "compress/targets.h"

namespace pare::compress {

/// The grid on which each part of the weights that shares a scale makes the least error at the output, ΔwᵀHΔw over the
/// inputs of the part, of its range shrunk by fiftieths; parts of more than 256 inputs, where that would take too long,
/// count each input's energy alone. `hessian`, `groups` as visit_hessians has them.
passes::QuantParams clipped_by_output(const Tensor& weight, const ir::WeightRef& layer, const WeightSpec& spec,
                                      std::span<const double> hessian, std::int64_t groups);

}  // namespace pare::compress
