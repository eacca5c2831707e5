#include "compress/quantize/layer_codebook.h"

#include <algorithm>
#include <cmath>

#include "base/threads.h"
#include "pare/error.h"
#include "passes/qdq.h"

namespace pare::compress {
namespace {

constexpr std::int64_t kFourBits = 16;

/// Elements of the weight by part.
std::vector<std::vector<std::size_t>> parts_of(const Tensor& weight, int axis) {
  const passes::ParamMap map(passes::QuantParams{.axis = axis}, weight.dims());
  std::vector<std::vector<std::size_t>> parts(map.count());
  for (std::size_t i = 0; i < static_cast<std::size_t>(weight.numel()); ++i) parts[map(i)].push_back(i);
  return parts;
}

/// Levels of these elements, and their indices; returns Σ(ŵ − w)².
double fill_part(std::span<const float> weights, const std::vector<std::size_t>& elements, const CodebookSpec& spec,
                 Rng& rng, std::span<float> codebook, std::span<std::uint8_t> indices) {
  std::vector<float> values;
  bool zeros = false;
  for (const std::size_t at : elements) {
    const bool zero = spec.keep_zeros && weights[at] == 0;
    zeros |= zero;
    if (!zero) values.push_back(weights[at]);
  }
  const std::vector<float> levels = spec.levels->choose(
      {.weights = values, .entries = spec.entries, .with_zero = zeros, .start = spec.start, .rng = rng});
  const LevelMap map(levels, spec.levels->in_logarithms);
  const auto at_zero = static_cast<std::size_t>(std::find(levels.begin(), levels.end(), 0.0F) - levels.begin());
  double error = 0;
  for (const std::size_t at : elements) {
    const std::size_t level = spec.keep_zeros && weights[at] == 0 ? at_zero : map(weights[at]);
    indices[at] = static_cast<std::uint8_t>(level);
    error += std::pow(static_cast<double>(levels[level]) - static_cast<double>(weights[at]), 2);
  }
  std::copy(levels.begin(), levels.end(), codebook.begin());
  std::fill(codebook.begin() + static_cast<std::ptrdiff_t>(levels.size()), codebook.end(), levels.back());
  return error;
}

ir::ValueId add(ir::Graph& graph, const char* type, const std::string& name, std::vector<ir::ValueId> inputs,
                DType dtype, const Dims& dims, ir::NodeId before) {
  ir::Node node;
  node.op_type = type;
  node.name = graph.unique_node_name(name);
  node.inputs = std::move(inputs);
  node.outputs = {graph.add_value(name, dtype, ir::Shape::of(dims))};
  if (node.is("Cast")) node.set("to", std::int64_t{6});  // TensorProto.INT32
  const ir::ValueId out = node.outputs[0];
  graph.add_node(std::move(node), before);
  return out;
}

}  // namespace

LayerCodebook make_codebook(const Layer& layer, const Tensor& weight, const CodebookSpec& spec, Rng& rng) {
  const auto weights = weight.data<float>();
  double power = 0;
  for (float w : weights) power += static_cast<double>(w) * static_cast<double>(w);
  if (!std::isfinite(power))
    throw Error(ErrorCode::kBadInput, "tensor '" + layer.weight_name + "'", "holds weights that are not finite");
  LayerCodebook made{.indices = Tensor(DType::kUint8, weight.dims()),
                     .entries = spec.entries,
                     .axis = spec.per_channel ? layer.weight.output_axis : -1};
  const auto parts = parts_of(weight, made.axis);
  made.parts = static_cast<std::int64_t>(parts.size());
  made.codebook.resize(parts.size() * static_cast<std::size_t>(spec.entries));
  std::vector<Rng> rngs;
  for (std::size_t p = 0; p < parts.size(); ++p) rngs.emplace_back(rng.next(), kRngMethod);
  std::vector<double> errors(parts.size());
  const auto indices = made.indices.mutable_data<std::uint8_t>();
  parallel_for(made.parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto p = static_cast<std::size_t>(begin); p < static_cast<std::size_t>(end); ++p)
      errors[p] = fill_part(weights, parts[p], spec, rngs[p],
                            std::span(made.codebook).subspan(p * static_cast<std::size_t>(spec.entries),
                                                             static_cast<std::size_t>(spec.entries)),
                            indices);
  });
  for (double error : errors) made.error += power > 0 ? error / power : 0;
  return made;
}

void insert_codebook(ir::Model& model, const Layer& layer, const LayerCodebook& codebook) {
  ir::Graph& graph = model.graph;
  const bool narrow = codebook.entries <= kFourBits;
  const Dims dims = codebook.indices.dims();
  const auto bytes = codebook.indices.data<std::uint8_t>();
  const std::vector<std::int32_t> levels(bytes.begin(), bytes.end());
  const std::string& name = layer.weight_name;
  ir::ValueId at = add(graph, "Cast", name + "_at",
                       {graph.add_initializer(name + "_indices",
                                              narrow ? passes::pack_integers(levels, dims, DType::kUint4) : codebook.indices)},
                       DType::kInt32, dims, layer.node);
  if (codebook.parts > 1) {
    Dims along(dims.size(), 1);
    along[static_cast<std::size_t>(codebook.axis)] = codebook.parts;
    std::vector<std::int32_t> offsets;
    for (std::int64_t p = 0; p < codebook.parts; ++p) offsets.push_back(static_cast<std::int32_t>(p * codebook.entries));
    at = add(graph, "Add", name + "_in_channel", {at, graph.add_initializer(name + "_channels", Tensor::from(along, offsets))},
             DType::kInt32, dims, layer.node);
  }
  const ir::ValueId book = graph.add_initializer(
      name + "_codebook", Tensor::from({static_cast<std::int64_t>(codebook.codebook.size())}, codebook.codebook));
  const ir::ValueId weight = add(graph, "Gather", name + "_gathered", {book, at}, DType::kFloat32, dims, layer.node);
  const ir::ValueId old = layer.weight.value;
  const std::vector<ir::NodeId> readers = graph.value(old).consumers;
  for (const ir::NodeId reader : readers) {
    const std::vector<ir::ValueId> inputs = graph.node(reader).inputs;
    for (std::size_t slot = 0; slot < inputs.size(); ++slot)
      if (inputs[slot] == old) graph.set_input(reader, slot, weight);
  }
  if (!graph.is_output(old)) graph.erase_value(old);
}

}  // namespace pare::compress
