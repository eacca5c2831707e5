// quantize/static: int8 weights and activations from ranges seen on calibration data, written as QuantizeLinear and
// DequantizeLinear pairs (Jacob et al. 2018; Wu et al. 2020).
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <sstream>

#include "base/text.h"
#include "compress/quantize/bias_correction.h"
#include "compress/quantize/calibrator.h"
#include "compress/quantize/common.h"
#include "compress/quantize/params.h"
#include "compress/quantize/placement.h"
#include "compress/quantize/probe.h"
#include "compress/quantize/protect.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

constexpr std::string_view kAutomatic = "auto";
/// What `auto` tries: of those that lose equally, the first.
constexpr std::string_view kCandidates[] = {"min-max", "mse", "percentile"};

std::vector<Option> declare() {
  using enum OptionType;
  std::vector<std::string_view> names = {kAutomatic};
  for (const Calibrator* calibrator : calibrators()) names.push_back(calibrator->name);
  std::vector<Option> list = {
      weights_option(),
      {"activations",
       kGroup,
       "{}",
       "how activations are computed",
       {},
       {},
       {},
       {{"bits", kInt, "8", "of an activation", {}, 1, 16},
        {"scheme",
         kString,
         "\"affine\"",
         "affine: uint8 with a zero point; symmetric: int8 around 0",
         {"affine", "symmetric"}},
        {"calibrator",
         kString,
         "\"auto\"",
         "from what was seen to a range; auto: the one of min-max, mse and percentile that disturbs the output least",
         names},
        {"percentile", kFloat, "99.99", "share of the values that the calibrator percentile keeps", {}, 50, 100},
        {"samples", kInt, "512", "training samples that are looked at; 0: all", {}, 0, 1e12}}},
      {"bias_correction", kBool, "true", "biases make up for the rounding of weights, where that helps the output"},
      {"protect",
       kGroup,
       "{}",
       "layers that stay float because their integers cost the output most",
       {},
       {},
       {},
       {{"snr", kFloat, "28", "dB of the output's signal to noise at which no further layer is kept", {}, 0, 200},
        {"macs", kFloat, "0.1", "of all MACs may stay float; 0: protect nothing", {}, 0, 1},
        {"samples", kInt, "16", "of val (else train) by which all this is chosen", {}, 1, 1e6}}},
  };
  for (Option option : target_options()) list.push_back(option);
  return list;
}

std::span<const Option> options() {
  static const std::vector<Option> table = declare();
  return table;
}

bool needs_gradients(const json&) { return false; }

const Calibrator& calibrator_of(const json& options) {
  return find_calibrator(options.at("activations").at("calibrator").get<std::string>());
}

std::vector<StatisticsRequest> needs(const ir::Model& model, const json& options) {
  const bool automatic = options.at("activations").at("calibrator") == kAutomatic;
  StatisticsRequest request{.kind = automatic ? "histogram" : std::string(calibrator_of(options).statistics),
                            .samples = options.at("activations").at("samples")};
  for (const auto& group : place_integers(model.graph, options, "quantize").groups)
    request.values.insert(request.values.end(), group.begin(), group.end());
  return {request};
}

void validate(const ir::Model& model, const StepContext& context) {
  require_8_bits(context.options, "weights");
  require_8_bits(context.options, "activations");
  require_not_quantized(model.graph);
  if (!context.dataset.train || context.dataset.train->size() == 0)
    throw Error(ErrorCode::kUsage, "quantize", "calibration needs a train split in the data file");
  place_integers(model.graph, context.options, "quantize");
  ir::Model trial = model;
  passes::raise_opset(trial, 13);
}

Range group_range(const std::vector<std::string>& group, const Statistics& statistics, const Calibrator& calibrator,
                  const json& options) {
  Range range;
  for (std::size_t i = 0; i < group.size(); ++i) {
    Range one = calibrator.range(statistics.of(group[i]), options.at("activations"));
    range = i == 0 ? one : Range{std::min(range.low, one.low), std::max(range.high, one.high)};
  }
  return range;
}

/// What decides how the model is written.
struct Choice {
  const Calibrator* calibrator = nullptr;
  bool correct_bias = false;
  std::set<std::string> floats;  ///< layers that stay float besides those that `exclude` names
};

/// A float model and what was seen of it, from which quantized ones are made.
class Writer {
 public:
  Writer(const ir::Model& model, const Statistics& statistics, const StepContext& context)
      : model_(model), statistics_(statistics), context_(context) {}

  Placement place(const std::set<std::string>& floats) const {
    return place_integers(model_.graph, context_.options, "quantize", floats);
  }

  passes::QdqPlan plan(const Placement& placement, const Calibrator& calibrator, int& raised) const {
    const json& options = context_.options;
    passes::QdqPlan plan;
    const bool symmetric = options.at("activations").at("scheme") == "symmetric";
    for (const auto& group : placement.groups) {
      Range range = group_range(group, statistics_, calibrator, options);
      for (const std::string& value : group)
        plan.activations[value] = symmetric ? symmetric_params(range) : affine_params(range);
    }
    for (const Layer& layer : placement.layers) add_layer(plan, layer, raised);
    plan.readers = placement.readers;
    return plan;
  }

  ir::Model write(const passes::QdqPlan& plan, const std::vector<Layer>& layers, bool correct_bias) const {
    ir::Model out = model_;
    if (correct_bias)
      for (const Layer& layer : layers)
        correct_bias_of(out.graph, layer, plan.weights.at(layer.weight_name), means_.at(layer.name));
    passes::insert_qdq(out, plan);
    return out;
  }

  ir::Model write(const Choice& choice) const {
    int raised = 0;
    const Placement placement = place(choice.floats);
    return write(plan(placement, *choice.calibrator, raised), placement.layers, choice.correct_bias);
  }

  /// Only this layer on integers: its input, read by no other node, and its weight.
  ir::Model write_one(const Layer& layer, const Choice& choice) const {
    int raised = 0;
    Placement placement;
    const std::string& input = model_.graph.value(model_.graph.node(layer.node).input(0)).name;
    placement.layers = {layer};
    for (const auto& group : all_groups())
      if (std::find(group.begin(), group.end(), input) != group.end()) placement.groups.push_back(group);
    passes::QdqPlan one = plan(placement, *choice.calibrator, raised);
    std::erase_if(one.activations, [&](const auto& entry) { return entry.first != input; });
    one.readers[input] = {layer.name};
    return write(one, placement.layers, choice.correct_bias);
  }

  void observe_means(const std::vector<Layer>& layers) {
    constexpr std::int64_t kSamples = 64;
    means_ = input_means(model_, layers, kSamples, context_);
  }

 private:
  const std::vector<std::vector<std::string>>& all_groups() const {
    if (groups_.empty()) groups_ = place({}).groups;
    return groups_;
  }

  void add_layer(passes::QdqPlan& plan, const Layer& layer, int& raised) const {
    const bool per_channel = context_.options.at("weights").at("granularity") == "channel";
    const ir::Node& node = model_.graph.node(layer.node);
    auto [params, first] = plan.weights.try_emplace(layer.weight_name);
    if (first)
      params->second = weight_params(*model_.graph.constant(layer.weight.value), layer.weight.view,
                                     layer.weight.output_axis, per_channel);
    if (const Tensor* bias = node.is("MatMul") ? nullptr : model_.graph.constant(node.input(2)))
      raised += raise_for_bias(params->second, plan.activations.at(model_.graph.value(node.input(0)).name).scale[0],
                               bias->data<float>());
    plan.nodes.push_back(layer.name);
  }

  const ir::Model& model_;
  const Statistics& statistics_;
  const StepContext& context_;
  std::map<std::string, std::vector<double>> means_;
  mutable std::vector<std::vector<std::string>> groups_;
};

/// Tries what the options leave open and keeps what disturbs the output least; `found` tells the user.
class Chooser {
 public:
  Chooser(const ir::Model& model, Writer& writer, StepContext& context)
      : model_(model), writer_(writer), context_(context) {}

  Choice run(json& found) {
    const json& options = context_.options;
    const bool automatic = options.at("activations").at("calibrator") == kAutomatic;
    Choice choice{automatic ? calibrators()[0] : &calibrator_of(options), options.at("bias_correction"), {}};
    const std::vector<Layer> layers = writer_.place({}).layers;
    if (choice.correct_bias) writer_.observe_means(layers);
    const json& limits = options.at("protect");
    const ProtectionLimits protection{limits.at("snr"), limits.at("macs")};
    if (!automatic && !choice.correct_bias && protection.mac_share <= 0) return choice;
    const Probe probe(model_, limits.at("samples"), context_);
    if (!probe.usable()) {
      found["note"] = "the first output is not float: nothing to choose by";
      choice.correct_bias = false;
      return choice;
    }
    found["samples"] = probe.samples();
    double noise = choose_calibrator(choice, probe, automatic, found);
    if (choice.correct_bias) noise = try_without_correction(choice, probe, noise, found);
    protect(choice, layers, probe, noise, protection, found);
    return choice;
  }

 private:
  double choose_calibrator(Choice& choice, const Probe& probe, bool automatic, json& found) {
    if (!automatic) return probe.noise(writer_.write(choice));
    double least = std::numeric_limits<double>::infinity();
    Choice best = choice;
    for (std::string_view name : kCandidates) {
      Choice candidate = choice;
      candidate.calibrator = &find_calibrator(name);
      const double noise = probe.noise(writer_.write(candidate));
      found["calibrators"][std::string(name)] = decibels(noise);
      if (noise < least) least = noise, best = candidate;
    }
    choice = best;
    return least;
  }

  double try_without_correction(Choice& choice, const Probe& probe, double noise, json& found) {
    Choice plain = choice;
    plain.correct_bias = false;
    const double without = probe.noise(writer_.write(plain));
    found["bias_correction"] = {{"without_db", decibels(without)}, {"with_db", decibels(noise)}};
    if (noise < without) return noise;
    choice = plain;
    return without;
  }

  void protect(Choice& choice, const std::vector<Layer>& layers, const Probe& probe, double noise,
               const ProtectionLimits& limits, json& found) {
    const Protection protection = protect_layers(
        model_, layers, probe, noise, limits,
        [&](const std::set<std::string>& floats) {
          Choice with = choice;
          with.floats = floats;
          return writer_.write(with);
        },
        [&](const Layer& layer) { return writer_.write_one(layer, choice); }, context_);
    choice.floats = protection.floats;
    json layers_json = json::array();
    for (const LayerSensitivity& layer : protection.layers)
      layers_json.push_back(
          {{"node", layer.node}, {"snr_db", layer.snr_db}, {"mac_share", layer.mac_share}, {"float", layer.kept}});
    found["protected"] = {{"nodes", protection.floats},
                          {"mac_share", protection.mac_share},
                          {"before_db", protection.before_db},
                          {"after_db", protection.after_db},
                          {"sensitivity", layers_json}};
  }

  const ir::Model& model_;
  Writer& writer_;
  StepContext& context_;
};

std::string decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

/// One line on what was chosen and what it cost.
std::string told(const Choice& choice, const json& found) {
  std::ostringstream text;
  text << "quantize: calibrator " << choice.calibrator->name << (choice.correct_bias ? ", biases corrected" : "");
  if (found.contains("protected")) {
    const json& kept = found.at("protected");
    if (!choice.floats.empty())
      text << ", " << choice.floats.size() << " layers (" << decimal(100 * kept.at("mac_share").get<double>())
           << " % of the MACs) stay float: "
           << join(std::vector<std::string>(choice.floats.begin(), choice.floats.end()), ", ");
    text << "; output SNR " << decimal(kept.at("after_db").get<double>()) << " dB on "
         << found.at("samples").get<std::int64_t>() << " samples";
  }
  text << "; chosen in " << decimal(found.at("seconds").get<double>()) << " s";
  return text.str();
}

void record_result(const Placement& placement, const passes::QdqPlan& plan, const Statistics& statistics, int raised,
                   StepContext& context) {
  json skipped = json::array(), activations = json::object();
  for (const auto& [node, reason] : placement.skipped) {
    skipped.push_back({{"node", node}, {"reason", reason}});
    context.control.warn("quantize: '" + node + "' stays float: " + reason);
  }
  for (const auto& [value, params] : plan.activations)
    activations[value] = {
        {"scale", params.scale[0]}, {"zero_point", params.zero_point[0]}, {"type", std::string(name(params.dtype))}};
  context.record["quantized"] = {{"nodes", plan.nodes},
                                 {"skipped", skipped},
                                 {"activations", activations},
                                 {"samples", statistics.samples()},
                                 {"scales_raised_for_bias", raised}};
}

void apply(ir::Model& model, const Statistics& statistics, StepContext& context) {
  const auto start = std::chrono::steady_clock::now();
  const ir::Model original = model;
  Writer writer(original, statistics, context);
  json found = json::object();
  const Choice choice = Chooser(original, writer, context).run(found);
  found["calibrator"] = choice.calibrator->name;
  found["biases_corrected"] = choice.correct_bias;
  found["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  int raised = 0;
  const Placement placement = writer.place(choice.floats);
  const passes::QdqPlan plan = writer.plan(placement, *choice.calibrator, raised);
  model = writer.write(plan, placement.layers, choice.correct_bias);
  record_result(placement, plan, statistics, raised, context);
  context.control.info(told(choice, found));
  context.record["quantized"]["choice"] = std::move(found);
}

std::vector<std::string> target_names(const ir::Model& model, const json& options) {
  std::vector<std::string> names;
  for (const Layer& layer : place_integers(model.graph, options, "quantize").layers) names.push_back(layer.name);
  return names;
}

}  // namespace

const Method& static_quantization() {
  static const Method method = {"quantize",
                                "static",
                                "int8 weights and activations, calibrated on training data",
                                "Jacob et al., Quantization and Training of Neural Networks for Efficient "
                                "Integer-Arithmetic-Only Inference, 2018",
                                options,
                                needs_gradients,
                                needs,
                                validate,
                                apply,
                                true,
                                true,
                                target_names};
  return method;
}

}  // namespace pare::compress
