// A layer as two thinner ones.
#pragma once

#include <string>

#include "base/linear_algebra.h"
#include "compress/targets.h"
#include "ir/model.h"

namespace pare::compress {

/// Why a layer cannot be factorized; "" when it can: a Gemm without transA, a MatMul, or a Conv of one group, with a
/// constant float32 weight that no other layer reads.
std::string why_whole(const ir::Graph& graph, const Layer& layer);

/// The weight as an [outputs, inputs · taps] matrix, row-major.
std::vector<float> weight_matrix(const ir::Graph& graph, const Layer& layer);

/// Weights and multiply–accumulates do not fall unless rank · (outputs + inputs · taps) < outputs · inputs · taps.
bool is_smaller(const ir::WeightView& view, std::int64_t rank);

/// Writes the layer as two, W ≈ (U √s)(√s Vᵀ) truncated to `rank`, so that both factors are of one size:
///   Gemm, MatMul:   x → MatMul [K, r] → the layer with [r, N] (its bias, alpha and beta stay)
///   Conv k×k:       x → Conv k×k, inputs → r (strides, pads, dilations) → Conv 1×1, r → outputs, with the bias
/// The second node keeps the layer's name, the first is called `<name>_lowrank`.
void factorize(ir::Graph& graph, const Layer& layer, const Svd& svd, std::int64_t rank);

}  // namespace pare::compress
