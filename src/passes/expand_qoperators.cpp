// x_q → QLinearConv → y_q   →   x_q → DequantizeLinear → Conv → QuantizeLinear → y_q       (all QLinear operators)
//
// QDQ form is standard ONNX, and the form that integer kernels are found in. It means the same up to one unit in the
// last place. Conditions: see expand_nodes.
#include "passes/pass.h"
#include "passes/rewrite.h"

namespace pare::passes {

namespace {

int run(ir::Model& model) { return expand_nodes(model, true); }

}  // namespace

extern const Pass k_expand_qoperators;
const Pass k_expand_qoperators{"expand_qoperators", "QLinear operators → Q/DQ around float operators", run};

}  // namespace pare::passes
