// Slices that cut an axis into parts → one Split:
//   a = Slice(x, 0, k), b = Slice(x, k, n)  →  a, b = Split(x, [k, n − k])
// Conditions: constant bounds along one axis of known size, step 1, and the slices of x along that axis cover it without
// overlap. Exporters write `chunk` and `x[:, :k]` so; a Split tells structured pruning what belongs together.
#pragma once

#include "ir/model.h"

namespace pare::passes {

/// Function-preserving; the parts keep their names. Returns how many Splits were made.
int join_slices(ir::Model& model);

}  // namespace pare::passes
