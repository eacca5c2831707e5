// x → Sigmoid → · x   becomes   x → Swish (Ramachandran et al. 2017; ONNX has it from operator set 24)
//
// Conditions: f32, nothing else reads the Sigmoid.
#include "passes/pass.h"
#include "runtime/fusion.h"

namespace pare::runtime {
namespace {

int run(ir::Model& model) {
  ir::Graph& graph = model.graph;
  int fused = 0;
  const std::vector<ir::NodeId> order = graph.nodes();
  for (ir::NodeId id : order) {
    if (!graph.has_node(id)) continue;  // the product of one that was fused
    const ir::Node& node = graph.node(id);
    if (!node.is("Sigmoid")) continue;
    const ir::ValueId x = node.input(0), gate = node.output(0);
    const ir::NodeId product = graph.sole_consumer(gate);
    if (product == ir::kNoNode || !graph.node(product).is("Mul") || graph.value(x).dtype != DType::kFloat32) continue;
    if (other_operand(graph.node(product), gate) != x) continue;
    replace_by_unary(graph, product, "Swish", x);
    ++fused;
  }
  return fused;
}

}  // namespace

extern const passes::Pass k_swish;
const passes::Pass k_swish{"swish", "x · Sigmoid(x) → Swish", run};

}  // namespace pare::runtime
