// quantize/static: int8 weights and activations from ranges seen on calibration data, written as QuantizeLinear and
// DequantizeLinear pairs (Jacob et al. 2018; Wu et al. 2020).
#include <chrono>
#include <cstdio>
#include <optional>
#include <sstream>

#include "base/text.h"
#include "compress/quantize/accuracy.h"
#include "compress/quantize/calibration_check.h"
#include "compress/quantize/calibrator.h"
#include "compress/quantize/common.h"
#include "compress/quantize/constant_inputs.h"
#include "compress/quantize/format.h"
#include "compress/quantize/layer_rounding.h"
#include "compress/quantize/mixed.h"
#include "compress/quantize/part_timer.h"
#include "compress/quantize/static_choice.h"
#include "compress/quantize/static_options.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

/// What rounding "auto" means: by samples.
bool few_bits(const json& options) {
  const json& weights = options.at("weights");
  if (weight_spec(weights).signs) return false;
  return weights.at("bits").get<int>() < 8 || !options.at("mixed").is_null();
}

bool needs_gradients(const json& options) {
  return rounding_needs_gradients(options.at("weights")) || mixed_needs_gradients(options);
}

std::vector<StatisticsRequest> needs(const ir::Model& model, const json& options) {
  return {activation_request(model, options)};
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
  if (choice.reverted > 0) text << ", " << choice.reverted << " layers went back to float to keep max_drop";
  if (found.contains("protected")) {
    const json& kept = found.at("protected");
    const auto layers = kept.at("nodes").get<std::vector<std::string>>();
    if (!layers.empty())
      text << ", " << layers.size() << " layers (" << decimal(100 * kept.at("mac_share").get<double>()) << " % of the MACs) "
           << (choice.floats.empty() ? "get 16-bit inputs: " : "stay float: ") << join(layers, ", ");
    if (!choice.floats.empty() && !choice.wide.empty())
      text << " (of these with 16-bit inputs: "
           << join(std::vector<std::string>(choice.wide.begin(), choice.wide.end()), ", ") << ")";
    if (const auto rounded = kept.at("gptq").get<std::vector<std::string>>(); !rounded.empty())
      text << ", weights of " << rounded.size() << " layers rounded by GPTQ: " << join(rounded, ", ");
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
    throw Error(ErrorCode::kUnsupported, "quantize.mixed", probe.why_not() + ": no noise can be measured");
  const PartTimer timer(found, "mixed");
  const MixedChoice choice = choose_mixed(floats, writer, probe.usable() ? &probe : nullptr, context, found);
  writer.keep_float(choice.floats);
  writer.set_bits(choice.bits);
}

/// Until max_drop is kept.
void revert_layers(const ir::Model& before, const ir::Model& floats, const StaticWriter& writer, const Probe& probe,
                   Choice& choice, StepContext& context, json& found) {
  const PartTimer timer(found, "max_drop");
  const auto with = [&](const std::set<std::string>& names) {
    Choice other = choice;
    other.floats = names;
    return writer.write(other);
  };
  const std::size_t already = choice.floats.size();
  choice.floats = keep_accuracy(
      before, floats, writer.place({}).layers, probe, {context.options.at("max_drop"), choice.floats}, with,
      [&](const Layer& layer) { return writer.write_one(layer, choice); }, context);
  choice.reverted = choice.floats.size() - already;
}

void apply(ir::Model& model, const Statistics& gathered, StepContext& context) {
  const auto start = std::chrono::steady_clock::now();
  ir::Model floats = model;
  Statistics statistics = gathered;
  json found = json::object();
  const std::map<std::string, std::string> constant =
      constant_inputs(model, place_integers(model.graph, context.options, "quantize").layers, gathered,
                      needs(model, context.options), context);
  std::optional<Probe> probe;
  const bool mixed = !context.options.at("mixed").is_null();
  const bool aware = !mixed && !context.options.at("max_drop").is_null();  // a layer in float would break its budget
  const bool check = !context.options.at("calibration_check").is_null();
  if (mixed || aware || check || leaves_choice(model, context.options))
    probe.emplace(model, context.options.at("protect").at("samples"), context);
  if (probe && probe->usable()) found["samples"] = probe->samples(), found["outputs"] = probe->outputs();
  if (probe && !probe->usable()) {
    found["note"] = probe->why_not() + ": nothing to choose by";
    context.control.warn("quantize: " + probe->why_not() + ": the defaults are taken, and no choice is measured");
  }
  equalize_layers(floats, statistics, probe ? &*probe : nullptr, context, found);
  choose_smoothing(floats, statistics, probe ? &*probe : nullptr, context, found);
  StaticWriter writer(floats, statistics, context);
  for (const auto& [layer, reason] : constant) writer.keep_float({layer});
  if (mixed) mix_precision(floats, writer, *probe, context, found);
  const bool automatic = few_bits(context.options);
  if (rounds_by_samples(context.options.at("weights"), automatic)) {
    const PartTimer timer(found, "rounding");
    writer.round_by_samples();
  }
  found["rounding"] = rounding_name(context.options.at("weights"), automatic);
  Choice choice = choose(floats, writer, statistics, probe ? &*probe : nullptr, context, found);
  if (aware) revert_layers(model, floats, writer, *probe, choice, context, found);
  found["calibrator"] = choice.calibrator->name;
  found["biases_corrected"] = choice.correct_bias;
  found["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (check) {
    const PartTimer timer(found, "calibration_check");
    check_calibration(floats, {activation_request(floats, context.options)}, writer, choice, *probe, context);
  }
  int raised = 0;
  Placement placement = writer.place(choice.floats, choice.wide);
  for (const auto& [layer, reason] : constant) placement.skipped.push_back({layer, reason});
  const passes::QdqPlan plan = writer.plan(placement, *choice.calibrator, raised);
  model = writer.write(plan, placement.layers, choice.correct_bias);
  for (const Layer& layer : placement.layers)
    if (writer.rounded_by_samples(layer) && !plan.integers.count(layer.weight_name))
      tell_nearest(context, layer, "its scales were raised so that its bias fits into 32 bits");
  record_result(placement, plan, statistics, raised, context);
  write_format(model, context);
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
                                static_options,
                                needs_gradients,
                                needs,
                                validate_static,
                                apply,
                                true,
                                true,
                                target_names};
  return method;
}

}  // namespace pare::compress
