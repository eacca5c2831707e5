// x_q → DequantizeLinear → M → …              becomes   x_q → M → DequantizeLinear → …
// x → M → QuantizeLinear → y_q                becomes   x → QuantizeLinear → M → y_q     when M alone reads x
// x… → Concat → QuantizeLinear → y_q          becomes   x → QuantizeLinear, each → Concat → y_q
// x_q → DequantizeLinear → QuantizeLinear     becomes   x_q                          where both have the same parameters
//
// M moves or selects elements: MaxPool, Reshape, Flatten, Transpose, Squeeze, Unsqueeze. Exact, because quantization
// with one scale is applied to each element alone and is monotone. Conditions: constant parameters per tensor, 8 bits.
#include <algorithm>
#include <array>
#include <string_view>

#include "runtime/group.h"

namespace pare::runtime {

namespace {

bool only_moves(const ir::Node& node) {
  static constexpr std::array<std::string_view, 6> kMoves = {"MaxPool",   "Reshape", "Flatten",
                                                             "Transpose", "Squeeze", "Unsqueeze"};
  return node.domain.empty() && node.output(1) == ir::kNoValue &&
         std::find(kMoves.begin(), kMoves.end(), node.op_type) != kMoves.end();
}

ir::ValueId add_8_bit(ir::Graph& graph, ir::ValueId like, DType dtype) {
  const ir::Value& model = graph.value(like);
  return graph.add_value(model.name + ".8bit", dtype, model.shape);
}

ir::Node with_params(const ir::Node& from, ir::ValueId in, ir::ValueId out) {
  ir::Node node;
  node.op_type = from.op_type;
  node.name = from.name;
  node.inputs = {in, from.input(1)};
  if (from.input(2) != ir::kNoValue) node.inputs.push_back(from.input(2));
  node.outputs = {out};
  node.attributes = from.attributes;
  return node;
}

/// Whether it did.
bool lower_dequantize(ir::Graph& graph, ir::NodeId id) {
  const auto view = quantized_activation(graph, graph.node(id).input(0));
  if (!view || !only_moves(graph.node(id))) return false;
  const ir::Node& above = graph.node(graph.producer(graph.node(id).input(0)));
  const ir::ValueId real = graph.node(id).output(0), moved = add_8_bit(graph, real, view->dtype);
  graph.set_output(id, 0, moved);
  graph.set_input(id, 0, view->q);
  graph.add_node(with_params(above, moved, real));
  return true;
}

/// Whether what a node quantizes is there already.
bool drop_quantize(ir::Graph& graph, ir::NodeId id) {
  const auto view = quantized_by(graph, id);
  const auto above = view ? quantized_activation(graph, graph.node(id).input(0)) : std::nullopt;
  if (!above || !above->same_params(*view) || graph.is_output(view->q)) return false;
  graph.replace_uses(view->q, above->q);
  graph.erase_node(id);
  return true;
}

bool raise_quantize(ir::Graph& graph, ir::NodeId id) {
  const auto view = quantized_by(graph, id);
  if (!view || !view->is_8_bit() || !view->per_tensor()) return false;
  const ir::ValueId real = graph.node(id).input(0), result = view->q;
  const ir::NodeId mover = graph.producer(real);
  if (mover == ir::kNoNode || graph.sole_consumer(real) != id) return false;
  const bool concat = graph.node(mover).is("Concat");
  if (!concat && (!only_moves(graph.node(mover)) || graph.sole_consumer(graph.node(mover).input(0)) != mover)) return false;
  const std::size_t operands = concat ? graph.node(mover).inputs.size() : 1;
  for (std::size_t slot = 0; slot < operands; ++slot) {
    const ir::ValueId x = graph.node(mover).input(slot), small = add_8_bit(graph, x, view->dtype);
    graph.add_node(with_params(graph.node(id), x, small));
    graph.set_input(mover, slot, small);
  }
  const ir::ValueId parked = graph.add_value("");
  graph.set_output(id, 0, parked);
  graph.set_output(mover, 0, result);
  graph.erase_node(id);  // and with it the value that only it wrote
  return true;
}

}  // namespace

void move_quantization(ir::Model& model) {
  ir::Graph& graph = model.graph;
  const std::vector<ir::NodeId> down = graph.nodes();
  bool lowered = false;
  for (ir::NodeId id : down) lowered |= drop_quantize(graph, id) || lower_dequantize(graph, id);
  if (lowered) graph.sort();
  // From the outputs up: what is raised past one node may rise past the node above it, where it is found next.
  for (bool changed = true; changed;) {
    changed = false;
    const std::vector<ir::NodeId> before = graph.nodes();
    for (auto it = before.rbegin(); it != before.rend(); ++it)
      if (graph.has_node(*it)) changed |= raise_quantize(graph, *it);
    if (changed) graph.sort();
  }
  graph.erase_dead();
}

}  // namespace pare::runtime
