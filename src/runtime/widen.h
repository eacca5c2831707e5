// Types without kernels of their own on those that have some: 16-bit floats on float32, packed weights on bytes.
#pragma once

#include "ir/model.h"
#include "runtime/weight_cache.h"

namespace pare::runtime {

/// x (16 bits) → op → y (16 bits)  becomes  x → Cast float32 → op → Cast back → y, for operators that have a kernel for
/// float32 and compute: inputs exact, one rounding an operator, which is what the operator means. What only moves
/// elements keeps its type. Constants are widened once and kept in the cache.
void widen_to_float32(ir::Model& model, WeightCache& cache);

/// Constants of 2 and 4 bits become bytes where the kernels that read them take bytes: weights of convolutions, and of products
/// whose other operand is quantized too. Scales for the tensor or along an axis; the meaning stays.
void widen_packed_weights(ir::Graph& graph);

}  // namespace pare::runtime
