#include "compress/quantize/static_writer.h"

#include <algorithm>

#include "compress/quantize/bias_correction.h"
#include "compress/quantize/common.h"
#include "compress/quantize/engine.h"
#include "compress/quantize/layer_rounding.h"
#include "compress/quantize/params.h"
#include "compress/quantize/sign_levels.h"

namespace pare::compress {
namespace {

using nlohmann::json;

/// Parameters that the values of a group share. Those of 16 bits keep all that was seen: nothing need be clipped.
passes::QuantParams group_params(const std::vector<std::string>& group, const Statistics& statistics,
                                 const Calibrator& chosen, const std::map<std::string, Range>& given, const json& options,
                                 bool wide) {
  const Calibrator& calibrator = wide ? *calibrators().front() : chosen;
  const bool positive = std::all_of(group.begin(), group.end(),
                                    [&](const std::string& value) { return statistics.of(value).min() >= 0; });
  json activations = options.at("activations");
  activations["scheme"] = activation_scheme(options, positive);
  Range range;
  for (std::size_t i = 0; i < group.size(); ++i) {
    const auto own = given.find(group[i]);
    const Range one =
        own != given.end() && !wide ? own->second : calibrated_range(calibrator, statistics.of(group[i]), activations);
    range = i == 0 ? one : Range{std::min(range.low, one.low), std::max(range.high, one.high)};
  }
  ActivationSpec spec = activation_spec(activations);
  if (wide) spec.bits = 16;
  return activations.at("scheme") == "affine" ? affine_params(range, spec) : symmetric_params(range, spec);
}

}  // namespace

Placement StaticWriter::place(const std::set<std::string>& floats, const std::set<std::string>& wide) const {
  std::set<std::string> all = floats_;
  all.insert(floats.begin(), floats.end());
  Placement placement = place_integers(model_.graph, context_.options, "quantize", all);
  const json& activations = context_.options.at("activations");
  const auto named = activations.at("wide").get<std::vector<std::string>>();
  const std::set<ir::NodeId> chosen = select_nodes(model_.graph, placement.layers, {}, named, "quantize.activations.wide");
  for (const Layer& layer : placement.layers)
    if (activations.at("bits") == 16 || wide.count(layer.name) || chosen.count(layer.node)) placement.wide.insert(layer.name);
  return placement;
}

std::set<std::string> StaticWriter::wide_values(const Placement& placement) const {
  std::set<std::string> values;
  for (const Layer& layer : placement.layers)
    if (placement.wide.count(layer.name)) values.insert(model_.graph.value(model_.graph.node(layer.node).input(0)).name);
  return values;
}

passes::QdqPlan StaticWriter::plan(const Placement& placement, const Calibrator& calibrator, int& raised) const {
  const json& options = context_.options;
  passes::QdqPlan plan;
  plan.integer_bias = engine_of(options).integer_bias;
  const std::set<std::string> wide = wide_values(placement);
  const bool all_wide = options.at("activations").at("bits") == 16;
  for (const auto& group : placement.groups) {
    const bool one_wide =
        std::any_of(group.begin(), group.end(), [&](const std::string& value) { return wide.count(value) > 0; });
    const passes::QuantParams params = group_params(group, *statistics_, calibrator, ranges_, options, all_wide || one_wide);
    for (const std::string& value : group) plan.activations[value] = params;
  }
  for (const Layer& layer : placement.layers) add_layer(plan, layer, raised);
  plan.readers = placement.readers;
  return plan;
}

ir::Model StaticWriter::write(const passes::QdqPlan& plan, const std::vector<Layer>& layers, bool correct_bias) const {
  ir::Model out = model_;
  if (correct_bias)
    for (const Layer& layer : layers)
      correct_bias_of(out.graph, layer, plan.weights.at(layer.weight_name), channels_.at(layer.name).mean,
                      plan.integers.count(layer.weight_name) ? &plan.integers.at(layer.weight_name) : nullptr);
  passes::insert_qdq(out, plan);
  return out;
}

ir::Model StaticWriter::write(const Choice& choice) const {
  int raised = 0;
  const Placement placement = place(choice.floats, choice.wide);
  return write(plan(placement, *choice.calibrator, raised), placement.layers, choice.correct_bias);
}

ir::Model StaticWriter::write_one(const Layer& layer, const Choice& choice) const {
  int raised = 0;
  Placement placement;
  const std::string& input = model_.graph.value(model_.graph.node(layer.node).input(0)).name;
  placement.layers = {layer};
  if (all_wide().count(layer.name) || choice.wide.count(layer.name)) placement.wide.insert(layer.name);
  for (const auto& group : all_groups())
    if (std::find(group.begin(), group.end(), input) != group.end()) placement.groups.push_back(group);
  passes::QdqPlan one = plan(placement, *choice.calibrator, raised);
  std::erase_if(one.activations, [&](const auto& entry) { return entry.first != input; });
  one.readers[input] = {layer.name};
  return write(one, placement.layers, choice.correct_bias);
}

std::optional<std::set<std::string>> StaticWriter::widened(const Layer& layer) const {
  const ir::Graph& graph = model_.graph;
  const std::string& input = graph.value(graph.node(layer.node).input(0)).name;
  std::map<ir::NodeId, std::string> layers;
  for (const Layer& one : place({}).layers) layers[one.node] = one.name;
  std::set<std::string> along;
  for (const auto& group : all_groups()) {
    if (std::find(group.begin(), group.end(), input) == group.end()) continue;
    for (const std::string& value : group)
      for (const ir::NodeId reader : graph.value(graph.find_value(value)).consumers) {
        const ir::Node& node = graph.node(reader);
        if (const auto found = layers.find(reader); found != layers.end())
          along.insert(found->second);
        else if (std::find(group.begin(), group.end(), graph.value(node.output(0)).name) == group.end())
          return std::nullopt;  // it would have to take 16 bits, or turn them into 8
      }
  }
  return along;
}

void StaticWriter::round_by_samples(const std::vector<Layer>& layers, const json& weights) {
  passes::QdqPlan plan;
  round_layers(model_, layers, [&](const Layer& layer) { return spec_of(layer); }, weights, false, context_, plan);
  for (auto& [name, params] : plan.weights) weights_[name] = std::move(params);
  for (auto& [name, integers] : plan.integers) integers_[name] = std::move(integers);
}

void StaticWriter::observe_means(const std::vector<Layer>& layers) {
  constexpr std::int64_t kSamples = 64;
  channels_ = input_channels(model_, layers, kSamples, context_);
}

const std::vector<std::vector<std::string>>& StaticWriter::all_groups() const {
  if (groups_.empty()) groups_ = place({}).groups;
  return groups_;
}

const std::set<std::string>& StaticWriter::all_wide() const {
  if (!wide_) wide_ = place({}).wide;
  return *wide_;
}

WeightSpec StaticWriter::spec_of(const Layer& layer) const {
  WeightSpec spec = weight_spec(context_.options.at("weights"));
  if (const auto found = bits_.find(layer.weight_name); found != bits_.end()) spec.bits = found->second;
  spec.bytes = !packs_weights(context_.options);
  return spec;
}

const passes::QuantParams& StaticWriter::rounded(const Layer& layer) const {
  const auto [found, first] = weights_.try_emplace(layer.weight_name);
  if (!first) return found->second;
  const Tensor& weight = *model_.graph.constant(layer.weight.value);
  const WeightSpec spec = spec_of(layer);
  if (spec.signs) {
    SignLevels signs = sign_levels(weight, layer.weight.output_axis, spec);
    integers_[layer.weight_name] = std::move(signs.integers);
    found->second = std::move(signs.params);
  } else {
    found->second = weight_params(weight, layer.weight.output_axis, spec);
  }
  return found->second;
}

void StaticWriter::add_layer(passes::QdqPlan& plan, const Layer& layer, int& raised) const {
  const ir::Node& node = model_.graph.node(layer.node);
  auto [params, first] = plan.weights.try_emplace(layer.weight_name);
  if (first) params->second = rounded(layer);
  int raised_here = 0;
  if (const Tensor* bias = node.is("MatMul") || !plan.integer_bias ? nullptr : model_.graph.constant(node.input(2)))
    raised_here = raise_for_bias(params->second, plan.activations.at(model_.graph.value(node.input(0)).name).scale[0],
                                 bias->data<float>(), spec_of(layer).power_of_two);
  raised += raised_here;
  // Integers of another scale would be wrong: such a layer is rounded to the nearest.
  if (const auto found = integers_.find(layer.weight_name); found != integers_.end() && raised_here == 0)
    plan.integers[layer.weight_name] = found->second;
  else if (raised_here > 0)
    plan.integers.erase(layer.weight_name);
  plan.nodes.push_back(layer.name);
}

}  // namespace pare::compress
