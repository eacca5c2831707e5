#include "ir/blocks.h"

#include <algorithm>
#include <set>

#include "ir/groups.h"
#include "ir/infer.h"
#include "ir/op.h"

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

/// Whether a subgraph reads what one of the nodes makes.
bool read_inside(const Graph& graph, const std::vector<std::string>& captured, const std::vector<NodeId>& nodes) {
  return std::any_of(captured.begin(), captured.end(), [&](const std::string& name) {
    const ValueId value = graph.find_value(name);
    return value != kNoValue && std::find(nodes.begin(), nodes.end(), graph.producer(value)) != nodes.end();
  });
}

/// Equal, with no size that is not known.
bool as_large(const Value& a, const Value& b) {
  return a.dtype == b.dtype && a.shape.ranked() && a.shape == b.shape &&
         std::none_of(a.shape.dims().begin(), a.shape.dims().end(), [](const Dim& dim) { return dim.is_unknown(); });
}

/// Whether the node computes its first output, the only one that is read, from `value` and constants alone, element by
/// element, or in another layout if `layouts`.
bool passes_on(const Model& model, NodeId id, ValueId value, bool layouts) {
  const Graph& graph = model.graph;
  const Node& node = graph.node(id);
  const Operator* op = find_operator(node, model.opset(node.domain));
  const bool layout =
      node.is("Squeeze") || node.is("Unsqueeze") || node.is("Reshape") || node.is("Flatten") || node.is("Transpose");
  if (!op || !(op->elementwise || (layouts && layout)) || node.outputs.size() != 1) return false;
  return std::count(node.inputs.begin(), node.inputs.end(), value) == 1 &&
         std::all_of(node.inputs.begin(), node.inputs.end(),
                     [&](ValueId input) { return input == value || input == kNoValue || graph.constant(input); });
}

/// The block of one layer; its `last` is kNoNode where the result is never as large as the input.
Block plain_layer(const Model& model, NodeId id) {
  const Graph& graph = model.graph;
  const Node& layer = graph.node(id);
  Block block{layer.name, kNoNode, id, 0, layer.input(0), {}, {id}};
  for (std::size_t slot = 1; slot < layer.outputs.size(); ++slot)
    if (const ValueId other = layer.output(slot);
        other != kNoValue && (graph.is_output(other) || !graph.value(other).consumers.empty()))
      return block;
  if (block.around == kNoValue || graph.constant(block.around) || layer.output(0) == kNoValue) return block;
  std::vector<NodeId> passed;
  ValueId value = layer.output(0);
  for (NodeId at = id; !graph.is_output(value);) {
    passed.push_back(at);
    if (as_large(graph.value(block.around), graph.value(value))) {
      block.last = at;
      block.nodes = passed;
    }
    at = graph.sole_consumer(value);
    if (at == kNoNode || !passes_on(model, at, value, block.last == kNoNode)) break;
    value = graph.node(at).output(0);
  }
  return block;
}

}  // namespace

std::vector<Block> plain_layers(const Model& model) {
  const std::vector<std::string> captured = model.graph.captured_names();
  std::vector<Block> blocks;
  for (NodeId id : model.graph.nodes()) {
    if (!layer_weight(model.graph, id)) continue;
    Block block = plain_layer(model, id);
    if (block.last != kNoNode && !read_inside(model.graph, captured, block.nodes)) blocks.push_back(std::move(block));
  }
  return blocks;
}

std::vector<Block> residual_blocks(const Model& model) {
  const Graph& graph = model.graph;
  const std::vector<std::string> captured = graph.captured_names();
  std::vector<Block> blocks;
  for (NodeId id : graph.nodes()) {
    const Node& node = graph.node(id);
    if (!node.is("Add") || graph.constant(node.input(0)) || graph.constant(node.input(1))) continue;
    for (const std::size_t slot : {std::size_t{0}, std::size_t{1}}) {
      Block block{node.name, id, id, slot, node.input(slot), {}, {}};
      const ValueId branch = node.input(1 - slot);
      const Shape &a = graph.value(block.around).shape, &b = graph.value(branch).shape;
      if (block.around == branch || !a.ranked() || !(a == b)) continue;
      std::set<NodeId> found;
      if (!ancestors(graph, branch, block.around, found)) continue;
      block.nodes = only_for(graph, found, id);
      // The branch's last node must go: another reader of the branch keeps it all.
      if (std::find(block.nodes.begin(), block.nodes.end(), graph.producer(branch)) == block.nodes.end()) continue;
      for (NodeId inner : block.nodes)
        if (layer_weight(graph, inner)) block.layers.push_back(inner);
      if (block.layers.empty() || read_inside(graph, captured, block.nodes)) continue;
      blocks.push_back(std::move(block));
      break;
    }
  }
  return blocks;
}

void remove_blocks(Model& model, const std::vector<Block>& blocks) {
  Graph& graph = model.graph;
  for (const Block& block : blocks) {
    // As the reader has it now: a block in front may be gone.
    const ValueId result = graph.node(block.last).output(0), around = graph.node(block.reader).input(block.slot);
    graph.replace_uses(result, around);
    if (!graph.is_output(result)) continue;
    Node& node = graph.node(block.last);  // an output, which is a sum, keeps its name
    graph.set_input(block.last, 0, around);
    graph.set_input(block.last, 1, kNoValue);
    node.inputs.resize(1);
    node.op_type = "Identity";
  }
  graph.erase_dead();
  infer_shapes(model);
}

}  // namespace pare::ir
