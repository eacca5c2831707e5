// Fresh weights for training from scratch.
#pragma once

#include <cstdint>

#include "ir/model.h"

namespace pare::compress {

/// Forgets what the model has learned:
/// - weights of Conv, Gemm and MatMul: normal with variance 2 / fan-in (He et al. 2015); constants added to their
/// results and
///   their own biases: 0
/// - BatchNormalization and LayerNormalization: scale 1, bias 0; running mean 0, variance 1
/// - PRelu slopes 0.25
/// The last weight of each residual branch that ends without normalization is further divided by sqrt(number of
/// branches): sums of independent branches would otherwise double the variance in every block, 2^L after L of them,
/// where this bounds the growth by (1 + 1/L)^L < e (the depth scaling of Hayou et al., Stable ResNet, 2021). Fixup
/// (Zhang et al. 2019) starts these weights at 0 instead; zeros are avoided here because Pare keeps zeros that it finds
/// in a model. Other initializers (embeddings, constants) stay. A masked initializer keeps its zeros. The same seed
/// gives the same weights. Throws Error(kUnsupported) naming a weight that is stored quantized.
void initialize_weights(ir::Model& model, std::uint64_t seed);

}  // namespace pare::compress
