#include "compress/weights.h"

namespace pare::compress {
namespace {

const Tensor* constant_at(const ir::Graph& graph, const ir::Node& node, std::size_t slot) {
  return node.input(slot) == ir::kNoValue ? nullptr : graph.constant(node.input(slot));
}

bool is_recurrent(const ir::Node& node) { return node.is("LSTM") || node.is("GRU") || node.is("RNN"); }

/// [C, M/g, kernel…]. Groups of several inputs and several outputs each have no view with one stride for all outputs.
std::optional<ir::WeightView> transposed_view(const Dims& dims, std::int64_t groups) {
  std::int64_t taps = 1;
  for (std::size_t i = 2; i < dims.size(); ++i) taps *= dims[i];
  const std::int64_t inputs = dims[0] / groups, outputs = dims[1];
  ir::WeightView view{.outputs = outputs * groups,
                      .taps = taps,
                      .inputs = inputs,
                      .output_stride = taps,
                      .tap_stride = 1,
                      .input_stride = outputs * taps};
  if (groups == 1 || inputs == 1) return view;
  if (outputs > 1) return std::nullopt;
  view.output_stride = inputs * taps;
  return view;
}

std::optional<Layer> transposed(const ir::Graph& graph, ir::NodeId id) {
  const ir::Node& node = graph.node(id);
  const Tensor* weight = node.is("ConvTranspose") ? constant_at(graph, node, 1) : nullptr;
  if (!weight || weight->rank() < 3) return std::nullopt;
  const auto view = transposed_view(weight->dims(), node.int_or("group", 1));
  if (!view) return std::nullopt;
  return Layer{id, node.name, node.op_type, graph.value(node.input(1)).name, {node.input(1), *view, 1}};
}

/// The weights of the inputs (slot 1) or of the state (slot 2).
std::optional<Layer> recurrent(const ir::Graph& graph, ir::NodeId id, std::size_t slot) {
  const ir::Node& node = graph.node(id);
  const Tensor* weight = is_recurrent(node) ? constant_at(graph, node, slot) : nullptr;
  if (!weight || weight->rank() != 3) return std::nullopt;
  const std::int64_t inputs = weight->dim(2);
  const ir::WeightView view{
      .outputs = weight->dim(0) * weight->dim(1), .inputs = inputs, .output_stride = inputs, .input_stride = 1};
  return Layer{id, node.name, node.op_type, graph.value(node.input(slot)).name, {node.input(slot), view, 1}};
}

}  // namespace

std::vector<Layer> find_weights(const ir::Graph& graph) {
  std::vector<Layer> found;
  for (ir::NodeId id : graph.nodes())
    for (const auto& layer :
         {layer_at(graph, id), transposed(graph, id), recurrent(graph, id, 1), recurrent(graph, id, 2)})
      if (layer) found.push_back(*layer);
  return found;
}

std::vector<std::string> left_out(const ir::Graph& graph) {
  std::vector<std::string> notes;
  for (ir::NodeId id : graph.nodes()) {
    const ir::Node& node = graph.node(id);
    if (node.is("ConvTranspose") && constant_at(graph, node, 1) && !transposed(graph, id))
      notes.push_back("'" + node.name + "' is left as it was: a ConvTranspose whose groups have several inputs and " +
                      "several outputs");
  }
  return notes;
}

}  // namespace pare::compress
