// float16 and bfloat16 nodes on the float32 kernels.
#pragma once

#include "ir/model.h"
#include "runtime/weight_cache.h"

namespace pare::runtime {

/// x (16 bits) → op → y (16 bits)  becomes  x → Cast float32 → op → Cast back → y, for operators that have a kernel for
/// float32 and compute: inputs exact, one rounding an operator, which is what the operator means. What only moves
/// elements keeps its type. Constants are widened once and kept in the cache.
void widen_to_float32(ir::Model& model, WeightCache& cache);

}  // namespace pare::runtime
