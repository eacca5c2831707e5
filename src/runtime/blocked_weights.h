// Weights in blocks of their own scales that no kernel takes packed.
#pragma once

#include "ir/model.h"

namespace pare::runtime {

/// A constant behind a DequantizeLinear with a block_size becomes float32, as convolutions need it, unless only products read
/// it that take it packed (lower/nbits.h) and dequantize it as they multiply.
void restore_blocked_weights(ir::Model& model);

}  // namespace pare::runtime
