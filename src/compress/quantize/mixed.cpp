#include "compress/quantize/mixed.h"

#include <algorithm>
#include <cmath>

#include "base/integer_program.h"
#include "base/text.h"
#include "compress/quantize/hessian_trace.h"
#include "compress/quantize/mixed_costs.h"
#include "compress/statistics.h"
#include "ir/infer.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

/// Layers that share a weight share its bits.
struct Sharers {
  const Layer* first;
  std::vector<std::string> nodes;
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
      all.push_back({&layer, {layer.name}, static_cast<double>(model.graph.constant(layer.weight.value)->numel())});
    else
      all[found->second].nodes.push_back(layer.name);
    all[found->second].macs += macs[layer.node];
  }
  return all;
}

std::vector<int> choices_of(const json& mixed) {
  std::vector<int> choices;
  for (const double bits : mixed.at("choices").get<std::vector<double>>()) choices.push_back(static_cast<int>(bits));
  std::sort(choices.begin(), choices.end());
  choices.erase(std::unique(choices.begin(), choices.end()), choices.end());
  return choices;
}

/// What the program chooses from, weight by weight: alternatives in the order of `bits`.
struct Program {
  std::vector<int> bits;  ///< ascending; kFloatBits last where layers may stay float
  std::vector<std::vector<Alternative>> groups;
  double budget = 0;
};

/// Fills the costs of all alternatives.
void add_costs(Program& program, const ir::Model& model, const std::vector<Sharers>& weights, StaticWriter& writer,
               const Probe* probe, StepContext& context, json& told) {
  const json& mixed = context.options.at("mixed");
  std::map<std::string, double> traces;
  if (mixed.at("sensitivity") == "hessian") traces = hessian_traces(model, mixed.at("probes"), context);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Layer& layer = *weights[i].first;
    const auto cost = [&](int bits) -> double {
      if (bits == kFloatBits) return 0;
      if (mixed.at("sensitivity") == "hessian")
        return curvature_loss(model, layer, bits, context.options.at("weights"), traces[layer.weight_name]);
      if (mixed.at("by") == "latency") return integer_noise(writer, layer, bits, *probe);
      return rounding_noise(model, layer, bits, context.options.at("weights"), *probe);
    };
    for (std::size_t c = 0; c < program.bits.size(); ++c) program.groups[i][c].cost = cost(program.bits[c]);
    if (!traces.empty()) told["traces"][layer.weight_name] = traces[layer.weight_name];
    context.control.report({"sensitivity", static_cast<std::int64_t>(i + 1), static_cast<std::int64_t>(weights.size()),
                            "layers", {}, -1});
  }
  writer.set_bits({});
}

/// Bits times weights or multiply-accumulates.
double weigh_by_bits(Program& program, const std::vector<Sharers>& weights, const json& mixed) {
  double whole = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double counts = mixed.at("by") == "size" ? weights[i].elements : weights[i].macs;
    whole += counts;
    for (std::size_t c = 0; c < program.bits.size(); ++c) program.groups[i][c].weight = counts * program.bits[c];
  }
  program.budget = whole * mixed.at("average").get<double>();
  return whole;
}

/// Times within a tenth of the fastest integers' are that: what a measurement can't tell apart must not cost bits.
void level(std::vector<Alternative>& group) {
  const auto less = [](const Alternative& a, const Alternative& b) { return a.weight < b.weight; };
  const double fastest = std::min_element(group.begin(), group.end() - 1, less)->weight;
  for (auto one = group.begin(); one != group.end() - 1; ++one)
    if (one->weight <= 1.1 * fastest) one->weight = fastest;
}

/// Measured milliseconds; returns those of all layers in float.
double weigh_by_time(Program& program, const ir::Model& model, const std::vector<Sharers>& weights,
                     StaticWriter& writer, StepContext& context) {
  const std::vector<int> integers(program.bits.begin(), program.bits.end() - 1);
  const auto times = layer_times(model, writer, integers, context);
  double whole = 0, least = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    std::vector<Alternative>& group = program.groups[i];
    for (std::size_t c = 0; c < program.bits.size(); ++c)
      for (const std::string& node : weights[i].nodes)
        if (const auto found = times.at(program.bits[c]).find(node); found != times.at(program.bits[c]).end())
          group[c].weight += found->second;
    level(group);
    whole += group.back().weight;
    least += std::min_element(group.begin(), group.end(), [](const Alternative& a, const Alternative& b) {
               return a.weight < b.weight;
             })->weight;
  }
  program.budget = whole * context.options.at("mixed").at("latency").get<double>();
  if (least > program.budget) {
    context.control.warn("quantize: the budget of time can't be met: the fastest choice takes " +
                         std::to_string(static_cast<int>(std::ceil(100 * least / whole))) + " % of the float layers' time");
    program.budget = least * (1 + 1e-9);
  }
  return whole;
}

json told_of(const Sharers& weight, const Program& program, std::size_t row, std::size_t chosen, const json& mixed) {
  const bool curvature = mixed.at("sensitivity") == "hessian", time = mixed.at("by") == "latency";
  json told = {{"node", join(weight.nodes, ", ")}};
  told["bits"] = program.bits[chosen] == kFloatBits ? json("float") : json(program.bits[chosen]);
  for (std::size_t c = 0; c < program.bits.size(); ++c) {
    const Alternative& alternative = program.groups[row][c];
    const bool floats = program.bits[c] == kFloatBits;
    const std::string name = floats ? "float" : std::to_string(program.bits[c]);
    if (!floats && curvature) told["omega"][name] = alternative.cost;
    if (!floats && !curvature) told["snr_db"][name] = decibels(alternative.cost);
    if (time) told["ms"][name] = alternative.weight;
  }
  return told;
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
            "the budget: average bits over size (weights) or operations (multiply-accumulates, so that it is one of bit "
            "operations), or measured latency",
            {"size", "operations", "latency"}},
          {"latency", kFloat, "0.7",
           "by latency: of the layers' measured time in float that they may take together; layers may stay float",
           {}, 0.01, 1},
          {"sensitivity", kString, "\"noise\"",
           "what a layer costs: noise (measured at the output) or hessian (trace of the training loss' Hessian times the "
           "squared error of the weights, HAWQ-V2; needs the train plug-in)",
           {"noise", "hessian"}},
          {"probes", kInt, "32", "random directions of the Hessian's traces, each on 32 training samples", {}, 1, 1e5},
           {"choices", kNumbers, "[2, 3, 4, 6, 8]", "bits to choose from", {}, 2, 8}}};
}

void validate_mixed(const json& mixed) {
  for (const double bits : mixed.at("choices").get<std::vector<double>>())
    if (bits != std::floor(bits))
      throw Error(ErrorCode::kUsage, "quantize.mixed.choices", "bits are whole numbers", "2 to 8", std::to_string(bits));
  const std::vector<int> choices = choices_of(mixed);
  if (choices.empty()) throw Error(ErrorCode::kUsage, "quantize.mixed.choices", "is empty", "2 to 8", "[]");
  if (mixed.at("by") != "latency" && mixed.at("average").get<double>() < choices.front())
    throw Error(ErrorCode::kUsage, "quantize.mixed.average", "is below the fewest bits to choose from",
                "at least " + std::to_string(choices.front()), mixed.at("average").dump());
}

bool mixed_needs_gradients(const json& options) {
  return !options.at("mixed").is_null() && options.at("mixed").at("sensitivity") == "hessian";
}

MixedChoice choose_mixed(const ir::Model& model, StaticWriter& writer, const Probe* probe, StepContext& context,
                         json& found) {
  const json& mixed = context.options.at("mixed");
  const std::vector<Layer> layers = writer.place({}).layers;
  const std::vector<Sharers> weights = by_weight(model, layers, context);
  const bool time = mixed.at("by") == "latency";
  Program program{choices_of(mixed), {}, 0};
  if (time) program.bits.push_back(kFloatBits);
  program.groups.assign(weights.size(), std::vector<Alternative>(program.bits.size()));
  const double whole =
      time ? weigh_by_time(program, model, weights, writer, context) : weigh_by_bits(program, weights, mixed);
  json& told = found["mixed"] = {{"sensitivity", mixed.at("sensitivity")}, {"by", mixed.at("by")}};
  add_costs(program, model, weights, writer, probe, context, told);
  const std::vector<std::size_t> chosen = choose_within(program.groups, program.budget);
  MixedChoice choice;
  told["layers"] = json::array();
  double used = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const int bits = program.bits[chosen[i]];
    if (bits == kFloatBits)
      choice.floats.insert(weights[i].nodes.begin(), weights[i].nodes.end());
    else
      choice.bits[weights[i].first->weight_name] = bits;
    used += program.groups[i][chosen[i]].weight;
    told["layers"].push_back(told_of(weights[i], program, i, chosen[i], mixed));
  }
  if (choice.bits.empty())
    throw Error(ErrorCode::kUsage, "quantize.mixed.latency", "leaves every layer in float", "a smaller share",
                mixed.at("latency").dump());
  if (time) {
    told["float_ms"] = whole;
    told["predicted_ms"] = used;
  } else {
    told["average"] = whole > 0 ? used / whole : 0;
  }
  return choice;
}

}  // namespace pare::compress
