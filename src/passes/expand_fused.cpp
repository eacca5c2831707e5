// Attention, MatMulNBits, FusedConv, SkipLayerNormalization …  →  the operators of ai.onnx that define them
//
// For execution: the runtime has kernels for the parts. Conditions: see expand_nodes.
#include "passes/pass.h"
#include "passes/rewrite.h"

namespace pare::passes {

namespace {

int run(ir::Model& model) { return expand_nodes(model, false); }

}  // namespace

extern const Pass k_expand_fused;
const Pass k_expand_fused{"expand_fused", "fused operators → the operators that define them", run};

}  // namespace pare::passes
