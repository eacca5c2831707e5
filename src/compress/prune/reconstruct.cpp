#include "compress/prune/reconstruct.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/linear_algebra.h"
#include "compress/layerwise/hessian.h"
#include "compress/layerwise/joint.h"
#include "compress/layerwise/layer_bias.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

/// The value whose error the layer is to make up for. Of two layers that are summed, the later one takes the error of
/// both (He et al. 2017, section 3.3).
std::string value_to_match(const ir::Graph& graph, const Layer& layer, const BiasSlot& bias) {
  const ir::ValueId own = biased_output(graph, layer, bias);
  const ir::NodeId next = graph.sole_consumer(own);
  if (next == ir::kNoNode || !graph.node(next).is("Add")) return graph.value(own).name;
  const ir::Node& sum = graph.node(next);
  const ir::ValueId other = sum.input(sum.input(0) == own ? 1 : 0);
  const auto& order = graph.nodes();
  const auto place = [&](ir::NodeId id) { return std::find(order.begin(), order.end(), id); };
  const ir::NodeId producer = graph.producer(other);
  const bool before = other != own && producer != ir::kNoNode && place(producer) < place(layer.node);
  const bool alike = graph.value(other).shape == graph.value(own).shape;
  return graph.value(before && alike ? sum.output(0) : own).name;
}

/// Positions on the weight's output axis that stay.
std::vector<std::int64_t> kept_outputs(const Layer& layer, const std::vector<ir::ChannelGroup>& groups,
                                       const RemovedUnits& removed) {
  std::vector<bool> gone(static_cast<std::size_t>(layer.weight.view.outputs), false);
  for (std::size_t g = 0; g < groups.size(); ++g)
    for (const ir::GroupAxis& axis : groups[g].axes) {
      if (axis.value != layer.weight.value || axis.axis != layer.weight.output_axis) continue;
      for (std::size_t i = 0; i < axis.unit.size(); ++i)
        if (axis.unit[i] >= 0 && std::binary_search(removed[g].begin(), removed[g].end(), axis.unit[i])) gone[i] = true;
    }
  std::vector<std::int64_t> kept;
  for (std::size_t i = 0; i < gone.size(); ++i)
    if (!gone[i]) kept.push_back(static_cast<std::int64_t>(i));
  return kept;
}

std::int64_t group_of(const ir::Node& node) { return node.is("Conv") ? node.int_or("group", 1) : 1; }

bool lost_inputs(const ir::Model& original, const ir::Model& model, const Layer& was, const Layer& is) {
  return was.weight.view.inputs != is.weight.view.inputs ||
         group_of(original.graph.node(was.node)) != group_of(model.graph.node(is.node));
}

/// Why the layer is left as it is; "": it can be reconstructed.
std::string obstacle(const ir::Model& original, const ir::Model& model, const Layer& layer, const BiasSlot& bias,
                     bool least_squares) {
  const ir::Graph& graph = model.graph;
  const ir::Value& weight = graph.value(layer.weight.value);
  if (group_of(original.graph.node(layer.node)) != 1) return "it is a grouped convolution";
  if (weight.constant->dtype() != DType::kFloat32) return "its weight is not float32";
  if (weight.consumers.size() > 1) return "its weight is shared with another node";
  const std::string why = why_no_bias(graph, layer, bias);
  if (!why.empty() && (bias.node != ir::kNoNode || !least_squares)) return why;
  if (!least_squares) return "";
  if (weight.mask) return "zeros of its weight are kept by a mask";
  constexpr std::int64_t kMost = 11585;  // sums of 1 GiB
  const std::int64_t width = layer.weight.view.taps * layer.weight.view.inputs + 1 + layer.weight.view.outputs;
  if (width > kMost) return "the sums over its " + std::to_string(width) + " inputs and outputs would take over 1 GiB";
  return why_no_hessian(graph, layer);
}

/// The sums with the means taken off, when the bias takes care of those.
double centred(const JointSums& sums, std::int64_t row, std::int64_t column, bool bias) {
  const std::int64_t one = sums.columns;
  return sums.at(row, column) - (bias ? sums.at(one, row) * sums.at(one, column) / sums.positions() : 0);
}

/// Changes of the weight, a row of `columns` for each output: (Gram + λ·1)⁻¹ · Σ x·e. `energy`: by what Σ‖e‖² falls.
std::vector<double> solve(const JointSums& sums, bool bias, double damping, const std::string& name, double& energy) {
  const std::int64_t n = sums.columns, m = sums.outputs;
  std::vector<double> gram(static_cast<std::size_t>(n * n)), right(static_cast<std::size_t>(n * m));
  double mean = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) gram[static_cast<std::size_t>(i * n + j)] = centred(sums, i, j, bias);
    mean += gram[static_cast<std::size_t>(i * n + i)] / static_cast<double>(n);
  }
  const double ridge = damping * (mean > 0 ? mean : 1);
  for (std::int64_t i = 0; i < n; ++i) gram[static_cast<std::size_t>(i * n + i)] += ridge;
  for (std::int64_t o = 0; o < m; ++o)
    for (std::int64_t i = 0; i < n; ++i)
      right[static_cast<std::size_t>(o * n + i)] = centred(sums, sums.error_at(o), i, bias);
  std::vector<double> change;
  try {
    change = solve_positive(std::move(gram), n, right, m);
  } catch (const Error&) {
    throw Error(ErrorCode::kBadInput, "prune.damping",
                "the least squares of layer '" + name + "' cannot be solved; its inputs depend on one another",
                "more damping or samples", std::to_string(damping));
  }
  for (std::size_t i = 0; i < change.size(); ++i) energy += change[i] * (right[i] + ridge * change[i]);
  return change;
}

double error_energy(const JointSums& sums) {
  double total = 0;
  for (std::int64_t o = 0; o < sums.outputs; ++o) total += sums.at(sums.error_at(o), sums.error_at(o));
  return total;
}

/// Corrects weight and bias; returns what the record tells: root mean square of the output's error before and after.
json correct(ir::Graph& graph, const Layer& layer, const BiasSlot& slot, const JointSums& sums, double damping) {
  const bool bias = slot.node != ir::kNoNode;
  const double before = error_energy(sums);
  double fallen = 0;
  std::vector<double> change, shift(static_cast<std::size_t>(sums.outputs), 0);
  if (sums.columns > 0) {
    change = solve(sums, bias, damping, layer.name, fallen);
    Tensor weight = graph.constant(layer.weight.value)->clone();
    auto values = weight.mutable_data<float>();
    const ir::WeightView& view = layer.weight.view;
    for (std::int64_t o = 0; o < sums.outputs; ++o)
      for (std::int64_t i = 0; i < sums.columns; ++i)
        values[static_cast<std::size_t>(view.index(o, i / view.inputs, i % view.inputs))] +=
            static_cast<float>(change[static_cast<std::size_t>(o * sums.columns + i)]);
    graph.set_constant(layer.weight.value, std::move(weight));
  }
  for (std::int64_t o = 0; o < sums.outputs && bias; ++o) {
    double left = sums.error(o);
    fallen += left * left / sums.positions();
    for (std::int64_t i = 0; i < sums.columns; ++i)
      left -= change[static_cast<std::size_t>(o * sums.columns + i)] * sums.input(i);
    shift[static_cast<std::size_t>(o)] = left / sums.positions();
  }
  if (bias) change_bias(graph, layer, slot, {}, shift);
  const double count = sums.positions() * static_cast<double>(sums.outputs);
  return {{"layer", layer.name},
          {"error_before", std::sqrt(before / count)},
          {"error_after", std::sqrt(std::max(0.0, before - fallen) / count)},
          {"reason", nullptr}};
}

}  // namespace

std::vector<Option> reconstruct_options() {
  using enum OptionType;
  return {{"reconstruct",
           kString,
           "\"none\"",
           "the layers that read removed channels make up for them, without labels: by their bias, or by weights and "
           "bias of least squared error against the original's outputs on the samples",
           {"none", "bias", "least_squares"}},
          {"damping",
           kFloat,
           "null",
           "of the mean variance of a layer's inputs, added to each (least_squares); 0.01 if not given",
           {},
           1e-8,
           10}};
}

void require_reconstruction_data(const StepContext& context) {
  const auto kind = context.options.at("reconstruct").get<std::string>();
  if (kind != "least_squares" && !context.options.at("damping").is_null())
    throw Error(ErrorCode::kUsage, "prune.damping", "has no effect without reconstruct: least_squares", "least_squares",
                kind);
  if (kind != "none" && (!context.dataset.train || context.dataset.train->size() == 0))
    throw Error(ErrorCode::kUsage, "prune.reconstruct", "'" + kind + "' needs a train split in the data file");
}

void reconstruct(const ir::Model& original, ir::Model& model, const std::vector<ir::ChannelGroup>& groups,
                 const RemovedUnits& removed, const StepContext& context) {
  const auto kind = context.options.at("reconstruct").get<std::string>();
  if (kind == "none") return;
  const bool least_squares = kind == "least_squares";
  const json& given = context.options.at("damping");
  const double damping = given.is_null() ? 0.01 : given.get<double>();
  std::map<ir::NodeId, Layer> before;
  for (const Layer& layer : find_layers(original.graph)) before.emplace(layer.node, layer);
  json layers = json::array();
  for (const Layer& layer : find_layers(model.graph)) {
    const Layer& was = before.at(layer.node);
    if (!lost_inputs(original, model, was, layer)) continue;
    const BiasSlot bias = bias_slot(model.graph, layer);
    const std::string why = obstacle(original, model, layer, bias, least_squares);
    if (!why.empty()) {
      layers.push_back({{"layer", layer.name}, {"error_before", nullptr}, {"error_after", nullptr}, {"reason", why}});
      continue;
    }
    const JointLayer joint{layer, value_to_match(model.graph, layer, bias), kept_outputs(was, groups, removed)};
    const JointSums sums = joint_sums(original, model, joint, least_squares, context.options.at("samples"), context);
    layers.push_back(correct(model.graph, layer, bias, sums, damping));
  }
  context.record["reconstruction"] = {{"by", kind}, {"samples", context.options.at("samples")}, {"layers", layers}};
}

}  // namespace pare::compress
