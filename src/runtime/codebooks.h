// Weights by codebook that the runtime multiplies as they are stored.
#pragma once

#include "ir/model.h"

namespace pare::runtime {

/// Of a private copy: Gather(values, Cast(indices) [+ first]) that only matrix products with low-bit kernels read
///   →  Codebook(values, indices [, first]) (domain pare),
/// which constant folding leaves alone; every other codebook (of convolutions, of vectors) becomes the weights themselves.
void take_codebooks(ir::Model& model);

}  // namespace pare::runtime
