// What inputs, activations and gradients say of channels (importance.h): one pass over training samples.
#include <algorithm>
#include <cmath>
#include <set>

#include "base/threads.h"
#include "compress/finite.h"
#include "compress/layerwise/hessian.h"
#include "compress/prune/importance.h"
#include "compress/prune/samples.h"
#include "compress/targets.h"
#include "ir/op.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

/// The group's channels in a value that is observed: position on the axis → unit.
struct Place {
  std::pair<ir::NodeId, std::string> layer;
  const ir::GroupAxis* axis;
  std::int64_t units;
  std::vector<std::vector<float>> averages;  ///< by unit: the map average of each sample
  std::vector<double> count;
};

/// The layer's output behind what is computed element by element from it and constants: bias, activation function.
ir::ValueId activated(const ir::Model& model, ir::NodeId layer) {
  const ir::Graph& graph = model.graph;
  ir::ValueId value = graph.node(layer).output(0);
  for (ir::NodeId next = graph.sole_consumer(value); next != ir::kNoNode; next = graph.sole_consumer(value)) {
    const ir::Node& node = graph.node(next);
    const ir::Operator* op = ir::find_operator(node, model.opset(node.domain));
    const bool alone = std::all_of(node.inputs.begin(), node.inputs.end(), [&](ir::ValueId input) {
      return input == value || input == ir::kNoValue || graph.constant(input);
    });
    if (!op || !op->elementwise || !alone || graph.value(node.output(0)).dtype != DType::kFloat32) break;
    value = node.output(0);
  }
  return value;
}

const ir::GroupAxis* axis_in(const ir::ChannelGroup& group, ir::ValueId value) {
  const auto found = std::find_if(group.axes.begin(), group.axes.end(),
                                  [&](const ir::GroupAxis& axis) { return axis.value == value; });
  return found == group.axes.end() ? nullptr : &*found;
}

std::map<std::string, std::vector<Place>> places_of(const ir::Model& model,
                                                    const std::vector<ir::ChannelGroup>& groups) {
  std::map<std::string, std::vector<Place>> places;
  for (const ir::ChannelGroup& group : groups) {
    if (!group.blocked.empty()) continue;
    for (ir::NodeId layer : group.layers) {
      ir::ValueId value = activated(model, layer);
      const ir::GroupAxis* axis = axis_in(group, value);
      if (!axis) axis = axis_in(group, value = model.graph.node(layer).output(0));
      if (!axis) throw Error(ErrorCode::kInternal, group.name, "the group lacks its layer's output");
      places[model.graph.value(value).name].push_back({{layer, group.name}, axis, group.units, {}, {}});
    }
  }
  return places;
}

/// Adds a batch to the sums of one place; the first axis is the batch.
void add_activations(const Tensor& tensor, Place& place, UnitMeasures& sums) {
  const auto units = static_cast<std::size_t>(place.units);
  for (auto* list : {&sums.mean, &sums.nonzero, &place.count}) list->resize(units, 0);
  place.averages.resize(units);
  std::int64_t inner = 1;
  for (std::int64_t i = place.axis->axis + 1; i < tensor.rank(); ++i) inner *= tensor.dim(i);
  const auto values = tensor.data<float>();
  const std::size_t samples = static_cast<std::size_t>(tensor.dim(0)), each = values.size() / samples;
  for (std::size_t s = 0; s < samples; ++s) {
    std::vector<double> totals(units, 0), counts(units, 0);
    for (std::size_t i = 0; i < each; ++i) {
      const std::int32_t unit = place.axis->unit[i / static_cast<std::size_t>(inner) % place.axis->unit.size()];
      if (unit < 0) continue;
      const auto u = static_cast<std::size_t>(unit);
      const double value = static_cast<double>(values[s * each + i]);
      totals[u] += value;
      counts[u] += 1;
      sums.mean[u] += std::fabs(value);
      sums.nonzero[u] += value > 0;
    }
    for (std::size_t u = 0; u < units; ++u) {
      place.count[u] += counts[u];
      place.averages[u].push_back(static_cast<float>(totals[u] / std::max(counts[u], 1.0)));
    }
  }
}

/// −Σ p·log p over equal bins between the least and the greatest average (Luo & Wu 2017, section 3.2).
double entropy_of(const std::vector<float>& averages) {
  constexpr std::size_t kBins = 32;
  const auto [low, high] = std::minmax_element(averages.begin(), averages.end());
  if (averages.empty() || *low == *high) return 0;
  std::vector<double> counts(kBins, 0);
  const double width = (static_cast<double>(*high) - static_cast<double>(*low)) / kBins;
  for (float value : averages) {
    const double bin = (static_cast<double>(value) - static_cast<double>(*low)) / width;
    counts[std::min(kBins - 1, static_cast<std::size_t>(bin))] += 1;
  }
  double entropy = 0;
  for (double count : counts)
    if (count > 0)
      entropy -= count / static_cast<double>(averages.size()) * std::log(count / static_cast<double>(averages.size()));
  return entropy;
}

MeasuresOfLayers measure_activations(const ir::Model& model, const std::vector<ir::ChannelGroup>& groups,
                                     std::int64_t samples, const StepContext& context) {
  auto places = places_of(model, groups);
  exec::CompileOptions options{.threads = resolve_threads(context.execution.threads),
                               .max_memory = context.execution.max_memory};
  for (const auto& [value, unused] : places) options.observed.push_back(value);
  auto executor = context.backend.compile(model, options);
  MeasuresOfLayers measures;
  visit_samples(model, samples, 32, context, "activations", [&](const data::Batch& batch) {
    executor->observe(batch.inputs, [&](const std::string& value, const Tensor& tensor) {
      require_finite(model.graph, value, tensor);
      for (Place& place : places.at(value)) add_activations(tensor, place, measures[place.layer]);
    });
  });
  for (auto& [value, list] : places)
    for (Place& place : list) {
      UnitMeasures& sums = measures[place.layer];
      for (std::size_t u = 0; u < place.count.size(); ++u) {
        sums.mean[u] /= std::max(place.count[u], 1.0);
        sums.nonzero[u] /= std::max(place.count[u], 1.0);
        sums.entropy.push_back(entropy_of(place.averages[u]));
      }
    }
  return measures;
}

void add_gradients(const FilterSet& filters, const Tensor& gradient, UnitMeasures& sums) {
  const auto units = static_cast<std::size_t>(filters.units);
  for (auto* list : {&sums.gradient, &sums.product, &sums.taylor, &sums.fisher}) list->resize(units, 0);
  std::vector<double> change(units, 0);
  const auto slopes = gradient.data<float>();
  filters.for_each_place([&](std::size_t u, double weight, std::size_t i) {
    const double g = static_cast<double>(slopes[i]), product = g * weight;
    change[u] += product;
    sums.gradient[u] += std::fabs(g);
    sums.product[u] += std::fabs(product);
    sums.fisher[u] += product * product;
  });
  for (std::size_t u = 0; u < units; ++u) sums.taylor[u] += change[u] * change[u];
}

MeasuresOfLayers measure_gradients(const ir::Model& model, const std::vector<ir::ChannelGroup>& groups,
                                   std::int64_t samples, std::int64_t batch, const StepContext& context) {
  MeasuresOfLayers measures;
  visit_gradients(model, samples, batch, context, [&](const NamedTensors& gradients, std::int64_t) {
    for (const ir::ChannelGroup& group : groups) {
      if (!group.blocked.empty()) continue;
      for (std::size_t l = 0; l < group.layers.size(); ++l) {
        const FilterSet filters = filters_of(model.graph, group, l, nullptr, 0);
        add_gradients(filters, gradients.at(model.graph.value(group.weights[l]).name),
                      measures[{group.layers[l], group.name}]);
      }
    }
  });
  return measures;
}

/// visit(group, index of the layer in it) for each unblocked group that the layer belongs to.
template <typename Visit>
void for_groups_of(const Layer& layer, const std::vector<ir::ChannelGroup>& groups, Visit visit) {
  for (const ir::ChannelGroup& group : groups)
    for (std::size_t l = 0; group.blocked.empty() && l < group.layers.size(); ++l)
      if (group.layers[l] == layer.node && group.weights[l] == layer.weight.value) visit(group, l);
}

MeasuresOfLayers measure_inputs(const ir::Model& model, const std::vector<ir::ChannelGroup>& groups,
                                std::int64_t samples, const StepContext& context) {
  std::vector<Layer> layers;
  for (const Layer& layer : find_layers(model.graph)) {
    bool wanted = false;
    for_groups_of(layer, groups, [&](const ir::ChannelGroup&, std::size_t) { wanted = true; });
    if (wanted) layers.push_back(layer);
  }
  MeasuresOfLayers measures;
  const auto add = [&](const ir::ChannelGroup& group, std::size_t l, const std::vector<float>* energy) {
    const FilterSet filters = filters_of(model.graph, group, l, nullptr, 0);
    std::vector<double>& sums = measures[{group.layers[l], group.name}].inputs;
    sums.assign(static_cast<std::size_t>(group.units), 0.0);
    filters.for_each_place([&](std::size_t unit, double weight, std::size_t i) {
      sums[unit] += std::fabs(weight) * (energy ? std::sqrt(static_cast<double>((*energy)[i])) : 1);
    });
  };
  visit_energies(model, layers, samples, context, [&](const Layer& layer, const std::vector<float>& energy) {
    for_groups_of(layer, groups, [&](const ir::ChannelGroup& group, std::size_t l) { add(group, l, &energy); });
  });
  for (const ir::ChannelGroup& group : groups)
    for (std::size_t l = 0; group.blocked.empty() && l < group.layers.size(); ++l)
      if (!measures.count({group.layers[l], group.name})) add(group, l, nullptr);
  return measures;
}

}  // namespace

MeasuresOfLayers measure_units(const ir::Model& model, const std::vector<ir::ChannelGroup>& groups,
                               Importance::Data kind, std::int64_t samples, const StepContext& context) {
  switch (kind) {
    case Importance::Data::kNone:
      return {};
    case Importance::Data::kActivations:
      return measure_activations(model, groups, samples, context);
    case Importance::Data::kNorms:
      return measure_scales(model, context.original, groups);
    case Importance::Data::kInputs:
      return measure_inputs(model, groups, samples, context);
    case Importance::Data::kGradients:
      return measure_gradients(model, groups, samples, 32, context);
    case Importance::Data::kSampleGradients:
      break;
  }
  return measure_gradients(model, groups, samples, 1, context);
}

}  // namespace pare::compress
