#include "compress/quantize/static_choice.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "compress/layerwise/hessian.h"
#include "compress/quantize/absorb.h"
#include "compress/quantize/common.h"
#include "compress/quantize/engine.h"
#include "compress/quantize/equalize.h"
#include "compress/quantize/fit_activations.h"
#include "compress/quantize/open_relu6.h"
#include "compress/quantize/part_timer.h"
#include "compress/quantize/protect.h"
#include "compress/quantize/smooth.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

/// What `auto` tries: of those that lose equally, the first.
constexpr std::string_view kCandidates[] = {"min-max", "mse", "percentile"};
/// By which 8-bit weights of sensitive layers are rounded anew.
constexpr std::int64_t kRoundingSamples = 64;
/// Migration strengths that `auto` tries: the predicted one of each site, and those that the paper's models ask for.
constexpr std::optional<double> kStrengths[] = {std::nullopt, 0.5, 0.65, 0.8};

const Calibrator& calibrator_of(const json& options) {
  return find_calibrator(options.at("activations").at("calibrator").get<std::string>());
}

/// Tries what the options leave open and keeps what disturbs the output least; `found` tells the user.
class Chooser {
 public:
  Chooser(const ir::Model& model, StaticWriter& writer, const Statistics& statistics, StepContext& context)
      : model_(model), writer_(writer), statistics_(statistics), context_(context) {}

  Choice run(const Probe* probe, json& found) {
    const json& options = context_.options;
    const bool automatic = options.at("activations").at("calibrator") == kAutomatic;
    Choice choice{.calibrator = automatic ? calibrators()[0] : &calibrator_of(options),
                  .correct_bias = options.at("bias_correction")};
    if (!probe || !probe->usable()) {
      choice.correct_bias = choice.correct_bias && !probe;
      return choice;
    }
    const std::vector<Layer> layers = writer_.place({}).layers;
    if (choice.correct_bias) writer_.observe_means(layers);
    double noise = choose_calibrator(choice, *probe, automatic, found);
    if (choice.correct_bias) noise = try_without_correction(choice, *probe, noise, found);
    noise = try_fitting(choice, *probe, noise, found);
    // A layer in float would break the budget of bits.
    if (!options.at("mixed").is_null()) return choice;
    protect(choice, layers, *probe, noise, found);
    return choice;
  }

 private:
  double choose_calibrator(Choice& choice, const Probe& probe, bool automatic, json& found) {
    const PartTimer timer(found, "calibrator");
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
    const PartTimer timer(found, "bias_correction");
    Choice plain = choice;
    plain.correct_bias = false;
    const double without = probe.noise(writer_.write(plain));
    found["bias_correction"] = {{"without_db", decibels(without)}, {"with_db", decibels(noise)}};
    if (noise < without) return noise;
    choice = plain;
    return without;
  }

  double try_fitting(const Choice& choice, const Probe& probe, double noise, json& found) {
    if (!context_.options.at("activations").at("fit").get<bool>()) return noise;
    const PartTimer timer(found, "fit");
    const auto start = std::chrono::steady_clock::now();
    std::map<std::string, Range> ranges = fit_activations(model_, writer_, choice, statistics_, context_);
    const std::size_t values = ranges.size();
    writer_.set_ranges(std::move(ranges));
    const double with = probe.noise(writer_.write(choice));
    found["fitted"] = {{"values", values}, {"with_db", decibels(with)}, {"without_db", decibels(noise)},
                       {"seconds", seconds_since(start)}};
    if (with < noise) return with;
    writer_.set_ranges({});
    return noise;
  }

  ProtectionLimits limits() const {
    const json& options = context_.options.at("protect");
    const auto as = options.at("as").get<std::string>();
    return {.target_db = options.at("snr"),
            .mac_share = options.at("macs"),
            .by = as == "int16" ? RepairBy::kWide : as == "auto" ? RepairBy::kEither : RepairBy::kFloat};
  }

  void protect(Choice& choice, const std::vector<Layer>& layers, const Probe& probe, double noise, json& found) {
    const PartTimer timer(found, "protect");
    const auto start = std::chrono::steady_clock::now();
    const bool can_widen = may_widen(model_, context_.options);
    Repairers make;
    make.all = [&](const Repairs& repairs) {
      Choice with = choice;
      with.floats = repairs.floats;
      with.wide = repairs.wide;
      return writer_.write(with);
    };
    make.one = [&](const Layer& layer, bool wide) {
      Choice with = choice;
      if (wide) with.wide.insert(layer.name);
      return writer_.write_one(layer, with);
    };
    make.widened = [&](const Layer& layer) {
      return can_widen ? writer_.widened(layer) : std::optional<std::set<std::string>>();
    };
    json weights = context_.options.at("weights");
    if (weights.at("rounding") == "auto" && weights.at("bits") == 8 && !weight_spec(weights).signs) {
      weights["sequential"] = false;
      weights["samples"] = kRoundingSamples;
      make.round = [&](std::vector<Layer> some) {
        std::erase_if(some, [&](const Layer& layer) { return !why_no_hessian(model_.graph, layer).empty(); });
        writer_.round_by_samples(some, weights);
      };
      make.unround = [&](const Layer& layer) { writer_.round_to_nearest(layer); };
    }
    const Protection protection = protect_layers(model_, layers, probe, noise, limits(), make, context_);
    choice.floats = protection.repairs.floats;
    choice.wide = protection.repairs.wide;
    found["protected"] = told(protection);
    found["protected"]["seconds"] = seconds_since(start);
  }

  static json told(const Protection& protection) {
    json layers = json::array();
    for (const LayerSensitivity& layer : protection.layers) {
      layers.push_back({{"node", layer.node},
                        {"snr_db", layer.snr_db},
                        {"mac_share", layer.mac_share},
                        {"float", layer.kept && !layer.wide},
                        {"int16", layer.wide}});
      if (layer.wide_db) layers.back()["int16_db"] = *layer.wide_db;
      if (layer.rounded_db) layers.back()["gptq_db"] = *layer.rounded_db;
    }
    std::set<std::string> nodes = protection.repairs.floats;
    nodes.insert(protection.repairs.wide.begin(), protection.repairs.wide.end());
    json out = {{"nodes", nodes},
                {"int16", protection.repairs.wide},
                {"gptq", protection.rounded},
                {"mac_share", protection.mac_share},
                {"before_db", protection.before_db},
                {"after_db", protection.after_db},
                {"sensitivity", layers}};
    if (protection.float_db) out["float_db"] = *protection.float_db;
    return out;
  }

  static double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  const ir::Model& model_;
  StaticWriter& writer_;
  const Statistics& statistics_;
  StepContext& context_;
};


/// A model that SmoothQuant rewrote, as an attempt.
struct Attempt {
  ir::Model model;
  Smoothed smoothed;
};

Attempt attempt(const ir::Model& model, const Placement& placement, const std::map<std::string, InputChannels>& inputs,
                std::optional<double> alpha) {
  Attempt made{model, {}};
  made.smoothed = smooth(made.model, placement, inputs, alpha);
  return made;
}

/// Of the model quantized by ranges of few samples: enough to compare strengths by.
double smoothed_noise(const ir::Model& model, const Probe& probe, const StepContext& context) {
  constexpr std::int64_t kSamples = 64;
  StatisticsRequest request = activation_request(model, context.options);
  request.kind = "range";
  request.samples = kSamples;
  const Statistics seen = gather_statistics(model, {request}, context);
  const StaticWriter writer(model, seen, context);
  return probe.noise(writer.write(Choice{.calibrator = &find_calibrator("min-max")}));
}

}  // namespace

StatisticsRequest activation_request(const ir::Model& model, const json& options) {
  const bool automatic = options.at("activations").at("calibrator") == kAutomatic;
  StatisticsRequest request{.kind = automatic ? "histogram" : std::string(calibrator_of(options).statistics),
                            .samples = options.at("activations").at("samples")};
  for (const auto& group : place_integers(model.graph, options, "quantize").groups)
    request.values.insert(request.values.end(), group.begin(), group.end());
  return request;
}

bool may_widen(const ir::Model& model, const json& options) {
  if (!engine_of(options).wide_activations || options.at("format") == "qoperator") return false;
  ir::Model trial = model;
  try {
    passes::raise_opset(trial, 21);
  } catch (const Error&) {
    return false;  // an operator of it has no form there; float needs none
  }
  return true;
}

bool leaves_choice(const ir::Model& model, const json& options) {
  return options.at("activations").at("calibrator") == kAutomatic || options.at("bias_correction").get<bool>() ||
         options.at("protect").at("macs").get<double>() > 0 || options.at("activations").at("fit").get<bool>() ||
         options.at("equalize").get<bool>() ||
         (strength_option(options, "smooth").automatic && has_attention(model.graph));
}

void equalize_layers(ir::Model& model, Statistics& statistics, const Probe* probe, StepContext& context, json& found) {
  if (!context.options.at("equalize").get<bool>()) return;
  const PartTimer timer(found, "equalize");
  if (probe && probe->usable()) {
    const OpenedRelu6 relu6 =
        open_relu6(model, place_integers(model.graph, context.options, "quantize").layers, *probe, context);
    if (!relu6.opened.empty() || !relu6.kept.empty())
      found["relu6"] = {{"opened", relu6.opened}, {"kept", relu6.kept}, {"snr_db", relu6.snr_db}};
    if (!relu6.opened.empty())
      context.control.info("quantize: " + std::to_string(relu6.opened.size()) + " of " +
                           std::to_string(relu6.opened.size() + relu6.kept.size()) +
                           " ReLU6 between layers became ReLU; that alone leaves the output at " +
                           std::to_string(std::lround(relu6.snr_db)) + " dB");
  }
  const auto pairs = equalize(model, place_integers(model.graph, context.options, "quantize").layers);
  found["equalized"] = pairs;
  if (context.options.at("absorb_bias").get<bool>()) {
    constexpr std::int64_t kSamples = 128;
    const Absorbed absorbed =
        absorb_biases(model, place_integers(model.graph, context.options, "quantize").layers, kSamples, context);
    found["absorbed"] = {{"largest", absorbed.largest}, {"left", absorbed.left}};
  }
  if (pairs.empty())
    context.control.warn("quantize: no two layers have only ReLU or pooling between them: nothing to equalize");
  else
    statistics = gather_statistics(model, {activation_request(model, context.options)}, context);
}

void choose_smoothing(ir::Model& model, Statistics& statistics, const Probe* probe, StepContext& context,
                      json& found) {
  constexpr std::int64_t kSamples = 128;
  const Strength option = strength_option(context.options, "smooth");
  const bool automatic = option.automatic && has_attention(model.graph) && probe && probe->usable();
  if (!automatic && !option.alpha) return;
  const PartTimer timer(found, "smooth");
  const Placement placement = place_integers(model.graph, context.options, "quantize");
  const auto inputs = input_channels(model, placement.layers, kSamples, context);
  std::optional<Attempt> best;
  json& told = found["smooth"];
  if (automatic) {
    double least = smoothed_noise(model, *probe, context);
    told["off_db"] = decibels(least);
    for (const std::optional<double>& alpha : kStrengths) {
      Attempt made = attempt(model, placement, inputs, alpha);
      const double noise = smoothed_noise(made.model, *probe, context);
      told["tried"].push_back({{"alpha", alpha ? json(*alpha) : json("by site")}, {"snr_db", decibels(noise)}});
      if (noise >= least) continue;
      least = noise;
      best = std::move(made);
      told["alpha"] = alpha ? json(*alpha) : json("by site");
    }
  } else {
    best = attempt(model, placement, inputs, *option.alpha);
    told["alpha"] = *option.alpha;
  }
  if (!best) return;
  told["folded"] = best->smoothed.folded;
  told["multiplied"] = best->smoothed.multiplied;
  told["left"] = best->smoothed.left;
  told["strengths"] = best->smoothed.strengths;
  model = std::move(best->model);
  statistics = gather_statistics(model, {activation_request(model, context.options)}, context);
}

Choice choose(const ir::Model& model, StaticWriter& writer, const Statistics& statistics, const Probe* probe,
              StepContext& context, json& found) {
  return Chooser(model, writer, statistics, context).run(probe, found);
}

}  // namespace pare::compress
