// Conversion of nodes to a newer ai.onnx operator set, up to 13.
#include <algorithm>
#include <array>

#include "pare/error.h"
#include "passes/qdq.h"

namespace pare::passes {
namespace {

using ir::Graph;
using ir::NodeId;
using ir::ValueId;

ValueId add_ints(Graph& graph, const std::string& base, const std::vector<std::int64_t>& values) {
  return graph.add_initializer(base, Tensor::from({static_cast<std::int64_t>(values.size())}, values));
}

void append_input(Graph& graph, NodeId id, std::size_t slot, ValueId value) {
  // Slots are set through the graph so that links stay exact; omitted ones in between are filled with kNoValue.
  while (graph.node(id).inputs.size() <= slot) graph.node(id).inputs.push_back(ir::kNoValue);
  graph.set_input(id, slot, value);
}

/// An integer list attribute becomes the input `slot`. An absent attribute leaves the input out.
template <std::size_t kSlot>
void ints_to_input(Graph& graph, NodeId id, const std::string& attribute) {
  const ir::Node& node = graph.node(id);
  if (!node.find(attribute)) return;
  ValueId value = add_ints(graph, node.name + "_" + attribute, node.ints_or(attribute, {}));
  append_input(graph, id, kSlot, value);
  graph.node(id).attributes.erase(attribute);
}

bool convert_axes(Graph& graph, NodeId id) { return ints_to_input<1>(graph, id, "axes"), true; }
bool convert_split(Graph& graph, NodeId id) { return ints_to_input<1>(graph, id, "split"), true; }

bool convert_slice(Graph& graph, NodeId id) {
  ints_to_input<1>(graph, id, "starts");
  ints_to_input<2>(graph, id, "ends");
  ints_to_input<3>(graph, id, "axes");
  return true;
}

bool float_to_input(Graph& graph, NodeId id, const std::string& attribute, std::size_t slot) {
  const ir::Node& node = graph.node(id);
  if (!node.find(attribute)) return true;
  ValueId value = graph.add_initializer(node.name + "_" + attribute, Tensor::scalar(node.float_or(attribute, 0)));
  append_input(graph, id, slot, value);
  graph.node(id).attributes.erase(attribute);
  return true;
}

bool convert_clip(Graph& graph, NodeId id) {
  return float_to_input(graph, id, "min", 1) && float_to_input(graph, id, "max", 2);
}

bool convert_pad(Graph& graph, NodeId id) {
  ints_to_input<1>(graph, id, "pads");
  return float_to_input(graph, id, "value", 2);
}

bool convert_dropout(Graph& graph, NodeId id) {  // the ratio means nothing in inference
  graph.node(id).attributes.erase("ratio");
  return true;
}

/// Before 13 the input was flattened to two dimensions at `axis`: the same only when that is the last one.
bool convert_softmax(Graph& graph, NodeId id) {
  ir::Node& node = graph.node(id);
  const ir::Shape& shape = graph.value(node.input(0)).shape;
  const std::int64_t axis = node.int_or("axis", 1);
  if (!shape.ranked() || (axis != shape.rank() - 1 && axis != -1)) return false;
  node.set("axis", std::int64_t{-1});
  return true;
}

/// An operator whose form or meaning changed at opset `since`; without `convert` it cannot be carried over.
struct Change {
  std::string_view op_type;
  std::int64_t since;
  bool (*convert)(Graph&, NodeId);
};

constexpr std::array kChanges = {
    Change{"Clip", 11, convert_clip},       Change{"Dropout", 12, convert_dropout},
    Change{"Hardmax", 13, convert_softmax}, Change{"LogSoftmax", 13, convert_softmax},
    Change{"Pad", 11, convert_pad},         Change{"ReduceSum", 13, convert_axes},
    Change{"Resize", 11, nullptr},          Change{"Scan", 9, nullptr},
    Change{"Scatter", 11, nullptr},         Change{"Slice", 10, convert_slice},
    Change{"Softmax", 13, convert_softmax}, Change{"Split", 13, convert_split},
    Change{"Squeeze", 13, convert_axes},    Change{"TopK", 10, nullptr},
    Change{"Unsqueeze", 13, convert_axes},  Change{"Upsample", 10, nullptr},
};

[[noreturn]] void refuse(const ir::Node& node, std::int64_t from, std::int64_t target) {
  throw Error(ErrorCode::kUnsupported, "node '" + node.name + "'",
              node.op_type + " of opset " + std::to_string(from) + " means something else in opset " +
                  std::to_string(target) + ", which quantized models need; export the model with opset " +
                  std::to_string(target) + " or newer");
}

void raise_graph(Graph& graph, std::int64_t from, std::int64_t target, bool nested) {
  const std::vector<NodeId> nodes = graph.nodes();
  for (NodeId id : nodes) {
    for (const Change& change : kChanges)
      if (graph.node(id).is(change.op_type) && from < change.since && change.since <= target)
        if (nested || !change.convert || !change.convert(graph, id)) refuse(graph.node(id), from, target);
    for (auto& [name, attribute] : graph.node(id).attributes) {
      if (auto* body = std::get_if<std::shared_ptr<Graph>>(&attribute.value); body && *body)
        raise_graph(**body, from, target, true);
    }
  }
}

}  // namespace

void raise_opset(ir::Model& model, std::int64_t target) {
  const std::int64_t from = model.opset();
  if (from >= target) return;
  ir::Model raised = model;
  raise_graph(raised.graph, from, target, false);
  raised.opsets[""] = target;
  model = std::move(raised);
}

}  // namespace pare::passes
