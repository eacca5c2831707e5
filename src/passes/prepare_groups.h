// What a graph is rewritten to before structured pruning looks for coupled channels (ir/groups.h): exporters hide what
// belongs together behind slices, sizes computed at run time and merged constants.
#pragma once

#include <vector>

#include "passes/own_vectors.h"

namespace pare::passes {

/// join_slices, settle_targets, own_vectors; function-preserving. The copies are for share_vectors() afterwards.
std::vector<VectorCopy> prepare_groups(ir::Model& model);

}  // namespace pare::passes
