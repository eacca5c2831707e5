#include "compress/quantize/mixed.h"

#include <algorithm>
#include <cmath>

#include "base/integer_program.h"
#include "compress/quantize/common.h"
#include "compress/statistics.h"
#include "ir/infer.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

/// Layers that share a weight share its bits.
struct Sharers {
  const Layer* first;
  std::string nodes;
  double elements = 0, macs = 0;
};

std::vector<Sharers> by_weight(const ir::Model& model, const std::vector<Layer>& layers, const StepContext& context) {
  std::map<ir::NodeId, double> macs;
  for (const auto& [node, count] : ir::count_macs(model, measured_shapes(model, context.dataset)))
    macs[node] = static_cast<double>(count);
  std::vector<Sharers> all;
  std::map<std::string, std::size_t> at;
  for (const Layer& layer : layers) {
    const auto [found, first] = at.try_emplace(layer.weight_name, all.size());
    if (first)
      all.push_back({&layer, layer.name, static_cast<double>(model.graph.constant(layer.weight.value)->numel())});
    else
      all[found->second].nodes += ", " + layer.name;
    all[found->second].macs += macs[layer.node];
  }
  return all;
}

double noise_of(const ir::Model& model, const Layer& layer, int bits, const json& weights, const Probe& probe) {
  WeightSpec spec = weight_spec(weights);
  spec.bits = bits;
  const Tensor& weight = *model.graph.constant(layer.weight.value);
  const passes::QuantParams params = weight_params(weight, layer.weight.output_axis, spec);
  ir::Model rounded = model;
  rounded.graph.set_constant(layer.weight.value,
                             passes::dequantize_tensor(passes::quantize_tensor(weight, params), params));
  return probe.noise(rounded);
}

std::vector<int> choices_of(const json& mixed) {
  std::vector<int> choices;
  for (const double bits : mixed.at("choices").get<std::vector<double>>()) choices.push_back(static_cast<int>(bits));
  std::sort(choices.begin(), choices.end());
  choices.erase(std::unique(choices.begin(), choices.end()), choices.end());
  return choices;
}

}  // namespace

Option mixed_option() {
  using enum OptionType;
  return {"mixed",
          kGroup,
          "null",
          "each layer's weights get their own bits: those that together disturb the output least, within a budget",
          {},
          {},
          {},
          {{"average", kFloat, "4", "bits of a weight on average that may be used", {}, 2, 8},
           {"by", kString, "\"size\"",
            "what is averaged over: size (weights) or operations (multiply-accumulates, so that the budget is one of bit "
            "operations)",
            {"size", "operations"}},
           {"choices", kNumbers, "[2, 3, 4, 6, 8]", "bits to choose from", {}, 2, 8}}};
}

void validate_mixed(const json& mixed) {
  for (const double bits : mixed.at("choices").get<std::vector<double>>())
    if (bits != std::floor(bits))
      throw Error(ErrorCode::kUsage, "quantize.mixed.choices", "bits are whole numbers", "2 to 8", std::to_string(bits));
  const std::vector<int> choices = choices_of(mixed);
  if (choices.empty()) throw Error(ErrorCode::kUsage, "quantize.mixed.choices", "is empty", "2 to 8", "[]");
  if (mixed.at("average").get<double>() < choices.front())
    throw Error(ErrorCode::kUsage, "quantize.mixed.average", "is below the fewest bits to choose from",
                "at least " + std::to_string(choices.front()), mixed.at("average").dump());
}

std::map<std::string, int> choose_bits(const ir::Model& model, const std::vector<Layer>& layers, const Probe& probe,
                                       StepContext& context, json& found) {
  const json& mixed = context.options.at("mixed");
  const std::vector<int> choices = choices_of(mixed);
  const std::vector<Sharers> weights = by_weight(model, layers, context);
  const bool by_size = mixed.at("by") == "size";
  std::vector<std::vector<Alternative>> groups;
  double whole = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double counts = by_size ? weights[i].elements : weights[i].macs;
    whole += counts;
    groups.emplace_back();
    for (const int bits : choices)
      groups.back().push_back(
          {noise_of(model, *weights[i].first, bits, context.options.at("weights"), probe), counts * bits});
    context.control.report({"sensitivity", static_cast<std::int64_t>(i + 1), static_cast<std::int64_t>(weights.size()),
                            "layers", {}, -1});
  }
  const std::vector<std::size_t> chosen = choose_within(groups, whole * mixed.at("average").get<double>());
  std::map<std::string, int> result;
  json& told = found["mixed"] = {{"layers", json::array()}};
  double used = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const int bits = choices[chosen[i]];
    result[weights[i].first->weight_name] = bits;
    used += groups[i][chosen[i]].weight;
    json snr = json::object();
    for (std::size_t c = 0; c < choices.size(); ++c) snr[std::to_string(choices[c])] = decibels(groups[i][c].cost);
    told["layers"].push_back({{"node", weights[i].nodes}, {"bits", bits}, {"snr_db", std::move(snr)}});
  }
  told["average"] = whole > 0 ? used / whole : 0;
  return result;
}

}  // namespace pare::compress
