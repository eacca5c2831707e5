#include "passes/few_bits.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

namespace pare::passes {
namespace {

using ir::Graph;
using ir::NodeId;
using ir::ValueId;

struct Bounds {
  float low, high;
};

/// One bound of a Clip as a number; nullopt when it is no constant.
std::optional<float> bound_of(const Graph& graph, const ir::Node& clip, std::size_t slot, float absent) {
  if (clip.input(slot) == ir::kNoValue) return absent;
  const Tensor* bound = graph.constant(clip.input(slot));
  if (!bound || bound->dtype() != DType::kFloat32 || bound->numel() != 1) return std::nullopt;
  return bound->data<float>()[0];
}

/// What a Relu or Clip keeps its output within.
std::optional<Bounds> bounds_of(const Graph& graph, NodeId id) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (id == ir::kNoNode) return std::nullopt;
  const ir::Node& node = graph.node(id);
  if (node.is("Relu")) return Bounds{0, kInfinity};
  if (!node.is("Clip")) return std::nullopt;
  const auto low = bound_of(graph, node, 1, -kInfinity), high = bound_of(graph, node, 2, kInfinity);
  if (!low || !high) return std::nullopt;
  return Bounds{*low, *high};
}

ir::Node clip_node(Graph& graph, const std::string& name, ValueId input, const std::string& value,
                   const Bounds& bounds) {
  ir::Node clip;
  clip.name = name;
  clip.op_type = "Clip";
  clip.inputs = {input, graph.add_initializer(value + "_low", Tensor::scalar(bounds.low)),
                 graph.add_initializer(value + "_high", Tensor::scalar(bounds.high))};
  return clip;
}

/// Puts a Clip in the place of the node that makes the value.
void replace_producer(Graph& graph, ValueId value, const Bounds& bounds) {
  const NodeId old = graph.producer(value);
  const std::string name = graph.node(old).name;
  const std::vector<ValueId> inputs = graph.node(old).inputs;
  graph.set_output(old, 0, graph.add_value(""));
  graph.erase_node(old);
  for (std::size_t slot = 1; slot < inputs.size(); ++slot)
    if (inputs[slot] != ir::kNoValue && graph.value(inputs[slot]).consumers.empty() &&
        graph.producer(inputs[slot]) == ir::kNoNode && !graph.is_output(inputs[slot]))
      graph.erase_value(inputs[slot]);
  ir::Node clip = clip_node(graph, name, inputs[0], graph.value(value).name, bounds);
  clip.outputs = {value};
  graph.add_node(std::move(clip));
}

}  // namespace

bool moves_elements(const ir::Node& node) {
  static constexpr std::string_view kTypes[] = {"MaxPool", "Flatten",   "Reshape",  "Transpose",
                                                "Squeeze", "Unsqueeze", "Identity", "Concat"};
  return node.output(1) == ir::kNoValue &&
         std::any_of(std::begin(kTypes), std::end(kTypes), [&](std::string_view type) { return node.is(type); });
}

bool stays_on_grid(const Graph& graph, ValueId value, const std::function<bool(ValueId)>& alike) {
  const NodeId producer = graph.producer(value);
  if (producer == ir::kNoNode || !moves_elements(graph.node(producer))) return false;
  const ir::Node& node = graph.node(producer);
  const auto moved = static_cast<std::ptrdiff_t>(node.is("Concat") ? node.inputs.size() : 1);
  return std::all_of(node.inputs.begin(), node.inputs.begin() + moved, alike);
}

bool needs_clip(const Graph& graph, const QdqPlan& plan, const std::string& activation) {
  const QuantParams& params = plan.activations.at(activation);
  const ValueId value = graph.find_value(activation);
  if (value == ir::kNoValue || params.bits == 0 || params.bits >= bits(params.dtype)) return false;
  return !stays_on_grid(graph, value, [&](ValueId input) {
    const auto found = plan.activations.find(graph.value(input).name);
    if (found == plan.activations.end()) return false;
    const auto& [name, other] = *found;
    const auto readers = plan.readers.find(name);
    const bool read =
        readers == plan.readers.end() || readers->second.count(graph.node(graph.producer(value)).name) > 0;
    return read && other.scale == params.scale && other.zero_point == params.zero_point && other.bits == params.bits;
  });
}

ValueId clip_to_limits(Graph& graph, ValueId value, const QuantParams& params, std::size_t readers) {
  const auto [least, most] = integer_limits(params);
  const auto number = [&](double level) { return static_cast<float>(level - params.zero_point[0]) * params.scale[0]; };
  Bounds bounds{number(least), number(most)};
  const auto own = bounds_of(graph, graph.producer(value));
  if (own && !graph.is_output(value) && graph.value(value).consumers.size() == readers) {
    replace_producer(graph, value, {std::max(bounds.low, own->low), std::min(bounds.high, own->high)});
    return value;
  }
  const std::string name = graph.value(value).name;
  const ir::Shape shape = graph.value(value).shape;
  ir::Node clip = clip_node(graph, graph.unique_node_name(name + "_Clip"), value, name, bounds);
  clip.outputs = {graph.add_value(name + "_clipped", DType::kFloat32, shape)};
  const ValueId clipped = clip.outputs[0];
  graph.add_node(std::move(clip));
  return clipped;
}

}  // namespace pare::passes
