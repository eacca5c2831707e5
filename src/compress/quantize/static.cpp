// quantize/static: int8 weights and activations from ranges seen on calibration data, written as QuantizeLinear and
// DequantizeLinear pairs (Jacob et al. 2018; Wu et al. 2020).
#include <chrono>
#include <cstdio>
#include <optional>
#include <sstream>

#include "base/text.h"
#include "compress/quantize/calibrator.h"
#include "compress/quantize/common.h"
#include "compress/quantize/layer_rounding.h"
#include "compress/quantize/mixed.h"
#include "compress/quantize/static_choice.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

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
      mixed_option(),
      {"smooth", kString, "\"auto\"",
       "SmoothQuant moves outliers of activations into the weights: auto (with attention, if it helps the output), off, "
       "or the strength α from 0 to 1"},
      {"equalize", kBool, "false",
       "layers with only ReLU or pooling between them trade scale channel by channel first (cross-layer equalization)"},
      {"absorb_bias", kBool, "true",
       "with equalize: what a channel is nearly always above goes into the next layer's bias (high-bias absorption)"},
      {"bias_correction", kBool, "true", "biases make up for the rounding of weights, where that helps the output"},
      {"protect",
       kGroup,
       "{}",
       "layers that stay float because their integers cost the output most",
       {},
       {},
       {},
       {{"snr", kFloat, "30", "dB of the output's signal to noise at which no further layer is kept", {}, 0, 200},
        {"macs", kFloat, "0.1", "of all MACs may stay float; 0: protect nothing", {}, 0, 1},
        {"samples", kInt, "16", "of val (else train) by which all this is chosen", {}, 1, 1e6}}},
  };
  for (Option option : rounding_options("nearest; by training samples gptq: later inputs make up for the error of earlier "
                                        "ones, or adaround: learned, up or down, or brecq: learned block by block, which needs "
                                        "the training plug-in; auto: gptq below 8 bits"))
    list.front().children.push_back(option);
  for (Option option : target_options()) list.push_back(option);
  return list;
}

/// What rounding "auto" means: by samples.
bool few_bits(const json& options) {
  const json& weights = options.at("weights");
  return weights.at("bits").get<int>() < 8 || !options.at("mixed").is_null();
}

std::span<const Option> options() {
  static const std::vector<Option> table = declare();
  return table;
}

bool needs_gradients(const json& options) {
  return rounding_needs_gradients(options.at("weights")) || mixed_needs_gradients(options);
}

std::vector<StatisticsRequest> needs(const ir::Model& model, const json& options) {
  return {activation_request(model, options)};
}

void validate(const ir::Model& model, const StepContext& context) {
  require_weight_bits(context.options);
  require_8_bits(context.options, "activations");
  require_not_quantized(model.graph);
  strength_option(context.options, "smooth");
  const bool mixed = !context.options.at("mixed").is_null();
  if (mixed) validate_mixed(context.options.at("mixed"));
  if (!context.dataset.train || context.dataset.train->size() == 0)
    throw Error(ErrorCode::kUsage, "quantize", "calibration needs a train split in the data file");
  place_integers(model.graph, context.options, "quantize");
  ir::Model trial = model;
  passes::raise_opset(trial, context.options.at("weights").at("bits") == 4 || mixed ? 21 : 13);
}

std::string decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

/// One line on what was chosen and what it cost.
std::string told(const Choice& choice, const json& found) {
  std::ostringstream text;
  text << "quantize: calibrator " << choice.calibrator->name << (choice.correct_bias ? ", biases corrected" : "");
  if (found.contains("smooth") && found.at("smooth").contains("alpha"))
    text << ", SmoothQuant with strength " << found.at("smooth").at("alpha").dump();
  if (found.contains("mixed")) {
    const json& mixed = found.at("mixed");
    if (mixed.contains("average"))
      text << ", weights of " << decimal(mixed.at("average").get<double>()) << " bits on average";
    else
      text << ", layers predicted to take "
           << decimal(100 * mixed.at("predicted_ms").get<double>() / mixed.at("float_ms").get<double>())
           << " % of their time in float";
  }
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

void mix_precision(const ir::Model& floats, StaticWriter& writer, const Probe& probe, StepContext& context, json& found) {
  if (!probe.usable() && !mixed_needs_gradients(context.options))
    throw Error(ErrorCode::kUnsupported, "quantize.mixed", "the first output is not float: no noise can be measured");
  const MixedChoice choice = choose_mixed(floats, writer, probe.usable() ? &probe : nullptr, context, found);
  writer.keep_float(choice.floats);
  writer.set_bits(choice.bits);
}

void apply(ir::Model& model, const Statistics& gathered, StepContext& context) {
  const auto start = std::chrono::steady_clock::now();
  ir::Model floats = model;
  Statistics statistics = gathered;
  json found = json::object();
  std::optional<Probe> probe;
  const bool mixed = !context.options.at("mixed").is_null();
  if (mixed || leaves_choice(model, context.options)) probe.emplace(model, context.options.at("protect").at("samples"), context);
  if (probe && probe->usable()) found["samples"] = probe->samples();
  if (probe && !probe->usable()) found["note"] = "the first output is not float: nothing to choose by";
  equalize_layers(floats, statistics, context, found);
  choose_smoothing(floats, statistics, probe ? &*probe : nullptr, context, found);
  StaticWriter writer(floats, statistics, context);
  if (mixed) mix_precision(floats, writer, *probe, context, found);
  const bool automatic = few_bits(context.options);
  if (rounds_by_samples(context.options.at("weights"), automatic)) writer.round_by_samples();
  found["rounding"] = rounding_name(context.options.at("weights"), automatic);
  const Choice choice = choose(floats, writer, probe ? &*probe : nullptr, context, found);
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
