#include "compress/quantize/blocks.h"

#include <algorithm>
#include <map>
#include <set>

#include "ir/infer.h"

namespace pare::compress {
namespace {

using ir::Graph;
using ir::NodeId;
using ir::ValueId;

/// Positions of nodes, and the last one that reads each value (past the end for the graph's outputs).
struct Order {
  std::map<NodeId, std::size_t> at;
  std::map<ValueId, std::size_t> last;
};

Order order_of(const Graph& graph) {
  Order order;
  const std::vector<NodeId>& nodes = graph.nodes();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    order.at[nodes[i]] = i;
    for (ValueId input : graph.node(nodes[i]).inputs)
      if (input != ir::kNoValue) order.last[input] = i;
  }
  for (ValueId output : graph.outputs) order.last[output] = nodes.size();
  return order;
}

/// Nodes that read, directly or not, what one of the layers makes, and the layers themselves.
std::set<NodeId> behind_layers(const Graph& graph, const std::vector<Layer>& layers) {
  std::set<NodeId> behind;
  for (const Layer& layer : layers) behind.insert(layer.node);
  for (NodeId id : graph.nodes())
    for (ValueId input : graph.node(id).inputs)
      if (const NodeId from = graph.producer(input); from != ir::kNoNode && behind.count(from)) behind.insert(id);
  return behind;
}

/// Ends of parts (one past the last node) with the values that leave them.
std::vector<std::pair<std::size_t, std::set<ValueId>>> parts_of(const Graph& graph, const std::set<NodeId>& behind) {
  const Order order = order_of(graph);
  const std::vector<NodeId>& nodes = graph.nodes();
  std::vector<std::pair<std::size_t, std::set<ValueId>>> parts;
  std::set<ValueId> alive;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    std::erase_if(alive, [&](ValueId value) { return order.last.at(value) <= i; });
    if (behind.count(nodes[i]))
      for (ValueId output : graph.node(nodes[i]).outputs)
        if (const auto found = order.last.find(output); found != order.last.end() && found->second > i)
          alive.insert(output);
    if (alive.size() == 1 || i + 1 == nodes.size()) parts.emplace_back(i + 1, alive);
  }
  return parts;
}

std::vector<std::string> inputs_of(const Graph& graph, std::size_t begin, std::size_t end) {
  std::set<NodeId> inside(graph.nodes().begin() + static_cast<std::ptrdiff_t>(begin),
                          graph.nodes().begin() + static_cast<std::ptrdiff_t>(end));
  std::vector<std::string> inputs;
  for (std::size_t i = begin; i < end; ++i)
    for (ValueId input : graph.node(graph.nodes()[i]).inputs) {
      if (input == ir::kNoValue || graph.constant(input)) continue;
      const NodeId from = graph.producer(input);
      const std::string& name = graph.value(input).name;
      if ((from == ir::kNoNode || !inside.count(from)) && std::ranges::find(inputs, name) == inputs.end())
        inputs.push_back(name);
    }
  return inputs;
}

}  // namespace

std::vector<Block> find_blocks(const Graph& graph, const std::vector<Layer>& layers) {
  struct Part {
    std::size_t begin, end;
    std::vector<Layer> layers;
    std::set<ValueId> out;
  };
  const Order order = order_of(graph);
  std::vector<Part> parts;
  std::size_t begin = graph.nodes().size();
  for (const Layer& layer : layers) begin = std::min(begin, order.at.at(layer.node));
  for (const auto& [end, out] : parts_of(graph, behind_layers(graph, layers))) {
    if (end <= begin) continue;
    Part part{begin, end, {}, out};
    for (const Layer& layer : layers)
      if (order.at.at(layer.node) >= begin && order.at.at(layer.node) < end) part.layers.push_back(layer);
    if (part.layers.empty() && !parts.empty())
      parts.back().end = end, parts.back().out = out;
    else
      parts.push_back(part);
    begin = end;
  }
  std::vector<Block> blocks;
  for (const Part& part : parts)
    if (part.out.size() == 1 && !part.layers.empty())
      blocks.push_back({part.layers, inputs_of(graph, part.begin, part.end), graph.value(*part.out.begin()).name});
  return blocks;
}

ir::Model block_model(const ir::Model& model, const Block& block) {
  ir::Model part = model;
  Graph& graph = part.graph;
  std::vector<ValueId> inputs;
  for (const std::string& name : block.inputs) {
    const ValueId value = graph.find_value(name);
    if (graph.is_input(value)) {
      inputs.push_back(value);
      continue;
    }
    const ir::Value like = graph.value(value);
    graph.rename(value, graph.unique_value_name(name + "_outside"));
    const ValueId input = graph.add_input(name, like.dtype, like.shape);
    graph.replace_uses(value, input);
    inputs.push_back(input);
  }
  graph.outputs = {graph.find_value(block.output)};
  graph.inputs = inputs;
  graph.erase_dead();
  ir::infer_shapes(part);
  return part;
}

}  // namespace pare::compress
