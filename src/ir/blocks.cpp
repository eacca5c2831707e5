#include "ir/blocks.h"

#include <algorithm>
#include <set>

#include "ir/infer.h"
#include "ir/sparsity.h"

namespace pare::ir {
namespace {

/// Nodes that `value` is computed from, up to `stop`; whether `stop` is among what they read.
bool ancestors(const Graph& graph, ValueId value, ValueId stop, std::set<NodeId>& found) {
  bool reached = value == stop;
  std::vector<ValueId> open = {value};
  while (!open.empty()) {
    const ValueId at = open.back();
    open.pop_back();
    if (at == stop) {
      reached = true;
      continue;
    }
    const NodeId producer = graph.producer(at);
    if (producer == kNoNode || !found.insert(producer).second) continue;
    for (ValueId input : graph.node(producer).inputs)
      if (input != kNoValue) open.push_back(input);
  }
  return reached;
}

/// The nodes of `candidates` that nothing outside needs once the sum no longer reads the branch.
std::vector<NodeId> only_for(const Graph& graph, const std::set<NodeId>& candidates, NodeId sum) {
  std::vector<NodeId> out;
  std::set<NodeId> going = {sum};
  const std::vector<NodeId>& order = graph.nodes();
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    if (!candidates.count(*at)) continue;
    const auto& outputs = graph.node(*at).outputs;
    const bool alone = std::all_of(outputs.begin(), outputs.end(), [&](ValueId id) {
      if (id == kNoValue) return true;
      const std::vector<NodeId>& readers = graph.value(id).consumers;
      return !graph.is_output(id) &&
             std::all_of(readers.begin(), readers.end(), [&](NodeId reader) { return going.count(reader) > 0; });
    });
    if (!alone) continue;
    going.insert(*at);
    out.push_back(*at);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace

std::vector<ResidualBlock> residual_blocks(const Model& model) {
  const Graph& graph = model.graph;
  const std::vector<std::string> captured = graph.captured_names();
  std::vector<ResidualBlock> blocks;
  for (NodeId id : graph.nodes()) {
    const Node& node = graph.node(id);
    if (!node.is("Add") || graph.constant(node.input(0)) || graph.constant(node.input(1))) continue;
    for (const std::size_t slot : {std::size_t{0}, std::size_t{1}}) {
      ResidualBlock block{node.name, id, slot, node.input(slot), node.input(1 - slot), {}, {}};
      const Shape &a = graph.value(block.around).shape, &b = graph.value(block.branch).shape;
      if (block.around == block.branch || !a.ranked() || !(a == b)) continue;
      std::set<NodeId> found;
      if (!ancestors(graph, block.branch, block.around, found)) continue;
      block.nodes = only_for(graph, found, id);
      // The branch's last node must go: another reader of the branch keeps it all.
      if (std::find(block.nodes.begin(), block.nodes.end(), graph.producer(block.branch)) == block.nodes.end()) continue;
      for (NodeId inner : block.nodes)
        if (find_weight(graph, inner)) block.layers.push_back(inner);
      const bool read_inside = std::any_of(block.nodes.begin(), block.nodes.end(), [&](NodeId inner) {
        return std::any_of(captured.begin(), captured.end(), [&](const std::string& name) {
          const ValueId value = graph.find_value(name);
          return value != kNoValue && graph.producer(value) == inner;
        });
      });
      if (block.layers.empty() || read_inside) continue;
      blocks.push_back(std::move(block));
      break;
    }
  }
  return blocks;
}

void remove_blocks(Model& model, const std::vector<ResidualBlock>& blocks) {
  Graph& graph = model.graph;
  for (const ResidualBlock& block : blocks) {
    const ValueId sum = graph.node(block.sum).output(0), around = graph.node(block.sum).input(block.slot);
    graph.replace_uses(sum, around);
    if (!graph.is_output(sum)) continue;
    Node& node = graph.node(block.sum);  // an output keeps its name
    graph.set_input(block.sum, 0, around);
    graph.set_input(block.sum, 1, kNoValue);
    node.inputs.resize(1);
    node.op_type = "Identity";
  }
  graph.erase_dead();
  infer_shapes(model);
}

}  // namespace pare::ir
