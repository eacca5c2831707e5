#include "passes/prepare_groups.h"

#include "passes/join_slices.h"
#include "passes/settle_targets.h"

namespace pare::passes {

std::vector<VectorCopy> prepare_groups(ir::Model& model) {
  settle_targets(model);
  join_slices(model);
  return own_vectors(model);
}

}  // namespace pare::passes
