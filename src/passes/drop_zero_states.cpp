// LSTM / GRU / RNN with an initial state of zeros  →  the same without: ONNX's default. Exporters compute these zeros from
// the batch (0 → Expand → Slice), which would tie the size of the layer to a computed shape.
#include <algorithm>

#include "passes/pass.h"

namespace pare::passes {

namespace {

bool all_zero(const Tensor& tensor) {
  if (tensor.dtype() != DType::kFloat32) return false;
  const auto data = tensor.data<float>();
  return std::all_of(data.begin(), data.end(), [](float x) { return x == 0; });
}

/// The value is zeros that were only spread and cut.
bool is_zeros(const ir::Graph& graph, ir::ValueId value) {
  for (;;) {
    if (const Tensor* constant = graph.constant(value)) return all_zero(*constant);
    const ir::NodeId producer = graph.producer(value);
    if (producer == ir::kNoNode) return false;
    const ir::Node& node = graph.node(producer);
    if (node.is("ConstantOfShape")) {
      const ir::Attribute* fill = node.find("value");
      return !fill || all_zero(std::get<Tensor>(fill->value));
    }
    if (!node.is("Expand") && !node.is("Slice") && !node.is("Unsqueeze") && !node.is("Reshape") &&
        !node.is("Identity") && !node.is("Transpose"))
      return false;
    value = node.input(0);
  }
}

int run(ir::Model& model) {
  int dropped = 0;
  for (ir::NodeId id : model.graph.nodes()) {
    const ir::Node& node = model.graph.node(id);
    if (!node.is("LSTM") && !node.is("GRU") && !node.is("RNN")) continue;
    for (std::size_t slot : {5, 6})
      if (node.input(slot) != ir::kNoValue && is_zeros(model.graph, node.input(slot))) {
        model.graph.set_input(id, slot, ir::kNoValue);
        ++dropped;
      }
  }
  return dropped;
}

}  // namespace

extern const Pass k_drop_zero_states;
const Pass k_drop_zero_states{"drop_zero_states", "recurrent layer with initial states of zeros → without them", run};

}  // namespace pare::passes
