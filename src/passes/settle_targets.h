// Targets of Reshape that are computed at run time although inference knows them but for one size:
//   Reshape(x, Concat(Shape(x)[:-2], …)) of result [N, 3, 64, 17]  →  Reshape(x, [-1, 3, 64, 17])
// and, with further open sizes, 0 where the result's is the symbol that x has at the same place.
// Conditions: the other sizes are known and none is 0. Exporters write transpositions and unfoldings so; what reads sizes
// at run time would keep structured pruning from changing them.
#pragma once

#include "ir/model.h"

namespace pare::passes {

/// Function-preserving. Returns how many targets became constants.
int settle_targets(ir::Model& model);

}  // namespace pare::passes
