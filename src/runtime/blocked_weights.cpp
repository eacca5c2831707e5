#include "runtime/blocked_weights.h"

#include "ir/op.h"
#include "runtime/lower/nbits.h"

namespace pare::runtime {

void restore_blocked_weights(ir::Model& model) {
  ir::Graph& graph = model.graph;
  const std::vector<ir::NodeId> nodes = graph.nodes();
  for (ir::NodeId id : nodes) {
    const ir::Node& node = graph.node(id);
    if (!node.is("DequantizeLinear") || node.int_or("block_size", 0) == 0) continue;
    const ir::ValueId out = node.output(0);
    std::vector<Tensor> inputs;
    for (ir::ValueId input : node.inputs)
      if (const Tensor* constant = input == ir::kNoValue ? nullptr : graph.constant(input)) inputs.push_back(*constant);
    const bool constant = inputs.size() == node.inputs.size();
    const bool read = !graph.value(out).consumers.empty() && !graph.is_output(out);
    if (!constant || !read || graph.value(out).dtype != DType::kFloat32 || only_nbits_read(graph, out)) continue;
    const std::int64_t opset = model.opset();
    Tensor floats = ir::find_operator(node, opset)->evaluate(ir::EvaluateContext{node, opset, inputs}).at(0);
    graph.erase_node(id);
    graph.set_constant(out, std::move(floats));
  }
  graph.erase_dead();
}

}  // namespace pare::runtime
