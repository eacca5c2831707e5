// x → Conv | ConvTranspose | Gemm (W, b) → BatchNormalization (γ, β, μ, σ²) → y    becomes    x → the same (W′, b′) → y
//
//   s = γ / sqrt(σ² + ε)        W′[o, …] = W[o, …] · s[o]        b′[o] = (b[o] − μ[o]) · s[o] + β[o]
//
// Conditions: inference mode; W, b and the four statistics are constant float32; the BatchNormalization alone reads the
// first result; ConvTranspose has one group; Gemm has alpha = beta = 1 and a bias of one element per output.
// γ is noted of y (ir/notes.h).
#include <cmath>

#include "ir/notes.h"
#include "passes/pass.h"
#include "passes/rewrite.h"

namespace pare::passes {

namespace {

/// Where the output channels lie in a weight: the element's channel is (index / inner) % channels.
struct ChannelAxis {
  std::int64_t channels = 0, inner = 1;
};

std::optional<ChannelAxis> channel_axis(const ir::Node& node, const Tensor& weight) {
  std::int64_t axis = 0;
  if (node.is("Conv")) {
    axis = 0;
  } else if (node.is("ConvTranspose") && node.int_or("group", 1) == 1) {
    axis = 1;
  } else if (node.is("Gemm") && node.float_or("alpha", 1) == 1 && node.float_or("beta", 1) == 1) {
    axis = node.int_or("transB", 0) ? 0 : 1;
  } else {
    return std::nullopt;
  }
  if (weight.rank() < 2) return std::nullopt;
  ChannelAxis found{weight.dim(axis), 1};
  for (std::int64_t i = axis + 1; i < weight.rank(); ++i) found.inner *= weight.dim(i);
  return found;
}

const Tensor* float_constant(const ir::Graph& graph, ir::ValueId id, std::int64_t count) {
  const Tensor* tensor = graph.constant(id);
  return tensor && tensor->dtype() == DType::kFloat32 && (count < 0 || tensor->numel() == count) ? tensor : nullptr;
}

bool is_inference(const ir::Graph& graph, const ir::Node& norm) {
  if (norm.int_or("training_mode", 0) != 0) return false;
  for (std::size_t slot = 1; slot < norm.outputs.size(); ++slot)
    if (norm.output(slot) != ir::kNoValue &&
        (graph.is_output(norm.output(slot)) || !graph.value(norm.output(slot)).consumers.empty()))
      return false;
  return true;
}

bool fold(ir::Graph& graph, ir::NodeId first, ir::NodeId second) {
  const ir::Node& node = graph.node(first);
  const ir::Node& norm = graph.node(second);
  if (!norm.is("BatchNormalization") || norm.input(0) != node.output(0) || !is_inference(graph, norm) ||
      !can_absorb_next(graph, first, second))
    return false;
  const Tensor* weight = float_constant(graph, node.input(1), -1);
  const auto axis = weight ? channel_axis(node, *weight) : std::nullopt;
  if (!axis) return false;
  const Tensor* parts[4];
  for (std::size_t i = 0; i < 4; ++i)
    if (!(parts[i] = float_constant(graph, norm.input(i + 1), axis->channels))) return false;
  const bool biased = node.input(2) != ir::kNoValue;
  const Tensor* bias = biased ? float_constant(graph, node.input(2), axis->channels) : nullptr;
  if (biased && !bias) return false;

  const double epsilon = norm.float_or("epsilon", 1e-5f);
  Tensor new_weight = weight->clone(), new_bias(DType::kFloat32, {axis->channels});
  std::vector<double> scale(static_cast<std::size_t>(axis->channels));
  for (std::size_t c = 0; c < scale.size(); ++c) {
    scale[c] = parts[0]->data<float>()[c] / std::sqrt(parts[3]->data<float>()[c] + epsilon);
    const double before = bias ? bias->data<float>()[c] : 0.0;
    new_bias.mutable_data<float>()[c] =
        static_cast<float>((before - parts[2]->data<float>()[c]) * scale[c] + parts[1]->data<float>()[c]);
  }
  std::span<float> w = new_weight.mutable_data<float>();
  for (std::size_t i = 0; i < w.size(); ++i) {
    const std::size_t channel = i / static_cast<std::size_t>(axis->inner) % scale.size();
    w[i] = static_cast<float>(w[i] * scale[channel]);
  }
  const Tensor gamma = *parts[0];
  replace_constant(graph, first, 1, std::move(new_weight), graph.value(node.input(1)).name);
  replace_constant(graph, first, 2, std::move(new_bias), node.name + ".bias");
  absorb_next(graph, first, second);
  ir::set_note(graph.value(graph.node(first).output(0)), ir::kBatchNormScale, gamma.data<float>());
  return true;
}

int run(ir::Model& model) {
  int folded = 0;
  const std::vector<ir::NodeId> order = model.graph.nodes();
  for (ir::NodeId id : order) {
    if (!model.graph.has_node(id) || model.graph.node(id).outputs.empty()) continue;
    const ir::ValueId y = model.graph.node(id).output(0);
    const ir::NodeId next = y == ir::kNoValue ? ir::kNoNode : model.graph.sole_consumer(y);
    if (next != ir::kNoNode) folded += fold(model.graph, id, next);
  }
  return folded;
}

}  // namespace

extern const Pass k_fold_batch_norm;
const Pass k_fold_batch_norm{"fold_batch_norm",
                             "Conv/ConvTranspose/Gemm → BatchNormalization → the same with scaled weights", run};

}  // namespace pare::passes
