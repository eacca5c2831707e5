// Bias correction: rounding the weights shifts the mean of each output channel; the bias takes the shift back.
#pragma once

#include <span>

#include "compress/targets.h"
#include "passes/qdq.h"

namespace pare::compress {

/// Whether a constant bias of the layer's outputs enters behind its product: its own, or that of the Add behind a MatMul.
bool has_bias(const ir::Graph& graph, const Layer& layer);

/// b[o] ← b[o] + shift[o]. Returns false, and changes nothing, when the layer has no bias.
bool add_to_bias(ir::Graph& graph, const Layer& layer, std::span<const double> shift);

/// b[o] ← b[o] − Σ (Q(w) − w)[o, tap, i] · E[x_i]   (Nagel et al., Data-Free Quantization Through Weight Equalization and
/// Bias Correction, 2019, section 4.2, with means of calibration data; borders that padding fills count as inputs).
/// The bias is the layer's own, or the constant vector of the Add behind a MatMul. `means`: of the node's input
/// channels; `integers`: of a weight that was not rounded to the nearest. Returns false, and changes nothing, when the layer has no bias.
bool correct_bias_of(ir::Graph& graph, const Layer& layer, const passes::QuantParams& params,
                     std::span<const double> means, const Tensor* integers = nullptr);

}  // namespace pare::compress
