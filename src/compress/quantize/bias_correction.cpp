#include "compress/quantize/bias_correction.h"

#include "base/float16.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

struct Slot {
  ir::NodeId node = ir::kNoNode;
  std::size_t index = 0;
};

/// Where the layer's bias enters.
Slot bias_slot(const ir::Graph& graph, const Layer& layer) {
  const ir::Node& node = graph.node(layer.node);
  if (!node.is("MatMul")) return graph.constant(node.input(2)) ? Slot{layer.node, 2} : Slot{};
  const ir::NodeId next = graph.sole_consumer(node.output(0));
  if (next == ir::kNoNode || !graph.node(next).is("Add")) return {};
  for (std::size_t slot = 0; slot < 2; ++slot)
    if (const Tensor* bias = graph.constant(graph.node(next).input(slot));
        bias && bias->dtype() == DType::kFloat32 && bias->rank() == 1 && bias->numel() == layer.weight.view.outputs)
      return {next, slot};
  return {};
}

}  // namespace

bool has_bias(const ir::Graph& graph, const Layer& layer) { return bias_slot(graph, layer).node != ir::kNoNode; }

bool add_to_bias(ir::Graph& graph, const Layer& layer, std::span<const double> shift) {
  const Slot slot = bias_slot(graph, layer);
  if (slot.node == ir::kNoNode) return false;
  const ir::ValueId old = graph.node(slot.node).input(slot.index);
  const Tensor* bias = graph.constant(old);
  std::vector<float> out(bias->data<float>().begin(), bias->data<float>().end());
  if (out.size() != shift.size())
    throw Error(ErrorCode::kInternal, layer.name, "a shift for each output channel", std::to_string(out.size()),
                std::to_string(shift.size()));
  for (std::size_t o = 0; o < out.size(); ++o)
    out[o] = static_cast<float>(static_cast<double>(out[o]) + shift[o]);
  const ir::ValueId corrected = graph.add_initializer(
      graph.value(old).name + "_corrected", Tensor::from({static_cast<std::int64_t>(out.size())}, out));
  graph.set_input(slot.node, slot.index, corrected);
  if (graph.value(old).consumers.empty() && !graph.is_output(old)) graph.erase_value(old);
  return true;
}

bool correct_bias_of(ir::Graph& graph, const Layer& layer, const passes::QuantParams& params,
                     std::span<const double> means, const Tensor* integers) {
  const ir::Node& node = graph.node(layer.node);
  if (!has_bias(graph, layer)) return false;
  const Tensor& weight = *graph.constant(layer.weight.value);
  const Tensor stored = integers ? *integers : passes::quantize_tensor(weight, params);
  const auto exact = weight.data<float>();
  const ir::WeightView& view = layer.weight.view;
  const std::int64_t groups = node.is("Conv") ? node.int_or("group", 1) : 1;
  if (static_cast<std::int64_t>(means.size()) != view.inputs * groups)
    throw Error(ErrorCode::kInternal, layer.name, "bias correction: a mean for each input channel",
                std::to_string(view.inputs * groups), std::to_string(means.size()));
  std::vector<double> shifts;
  for (std::int64_t o = 0; o < view.outputs; ++o) {
    const auto first = o / (view.outputs / groups) * view.inputs;
    const auto scale = static_cast<double>(params.scale[params.scale.size() == 1 ? 0 : static_cast<std::size_t>(o)]);
    double shift = 0;
    for (std::int64_t t = 0; t < view.taps; ++t)
      for (std::int64_t i = 0; i < view.inputs; ++i) {
        const auto at = static_cast<std::size_t>(view.index(o, t, i));
        shift += (element_as_double(stored, static_cast<std::int64_t>(at)) * scale - static_cast<double>(exact[at])) * means[static_cast<std::size_t>(first + i)];
      }
    shifts.push_back(-shift);
  }
  return add_to_bias(graph, layer, shifts);
}

}  // namespace pare::compress
