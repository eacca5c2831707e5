#include "compress/layerwise/layer_bias.h"

namespace pare::compress {

BiasSlot bias_slot(const ir::Graph& graph, const Layer& layer) {
  const ir::Node& node = graph.node(layer.node);
  if (!node.is("MatMul")) return {layer.node, 2};
  const ir::NodeId next = graph.sole_consumer(node.output(0));
  if (next == ir::kNoNode || !graph.node(next).is("Add")) return {};
  for (std::size_t slot = 0; slot < 2; ++slot)
    if (const Tensor* bias = graph.constant(graph.node(next).input(slot));
        bias && bias->dtype() == DType::kFloat32 && bias->rank() == 1 && bias->numel() == layer.weight.view.outputs)
      return {next, slot};
  return {};
}

ir::ValueId biased_output(const ir::Graph& graph, const Layer& layer, const BiasSlot& slot) {
  return graph.node(slot.node == ir::kNoNode ? layer.node : slot.node).output(0);
}

std::string why_no_bias(const ir::Graph& graph, const Layer& layer, const BiasSlot& slot) {
  if (slot.node == ir::kNoNode) return "no bias follows it";
  const ir::Node& node = graph.node(layer.node);
  if (node.is("Gemm") &&
      (node.float_or("alpha", 1) != 1.0f || node.float_or("beta", 1) != 1.0f || node.int_or("transA", 0) != 0))
    return "its alpha or beta is not 1, or transA is set";
  const ir::ValueId value = graph.node(slot.node).input(slot.index);
  if (value == ir::kNoValue) return "";
  const Tensor* tensor = graph.constant(value);
  if (!tensor) return "its bias is not constant";
  if (tensor->numel() != 1 && tensor->numel() != layer.weight.view.outputs)
    return "its bias is not one number for each output";
  return "";
}

void change_bias(ir::Graph& graph, const Layer& layer, const BiasSlot& slot, std::span<const double> scale,
                 std::span<const double> shift) {
  const ir::ValueId old = graph.node(slot.node).input(slot.index);
  std::vector<float> bias(shift.size(), 0.0f);
  const Tensor* tensor = graph.constant(old);
  for (std::size_t o = 0; o < bias.size(); ++o) {
    const double was = tensor ? static_cast<double>(tensor->data<float>()[tensor->numel() == 1 ? 0 : o]) : 0;
    bias[o] = static_cast<float>((scale.empty() ? 1 : scale[o]) * was + shift[o]);
  }
  const std::string name = old == ir::kNoValue ? layer.weight_name + "_bias" : graph.value(old).name + "_reconstructed";
  const auto size = static_cast<std::int64_t>(bias.size());
  graph.set_input(slot.node, slot.index, graph.add_initializer(name, Tensor::from({size}, bias)));
  if (old != ir::kNoValue && graph.value(old).consumers.empty() && !graph.is_output(old)) graph.erase_value(old);
}

}  // namespace pare::compress
