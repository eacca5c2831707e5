// nodes that no graph output needs, unread initializers  →  ∅
#include "passes/pass.h"

namespace pare::passes {

namespace {

int run(ir::Model& model) { return model.graph.erase_dead(); }

}  // namespace

extern const Pass k_erase_dead;
const Pass k_erase_dead{"erase_dead", "nodes and initializers that no output needs → ∅", run};

}  // namespace pare::passes
