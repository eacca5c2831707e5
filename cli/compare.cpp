// pare compare A B --data D.yaml
#include "pare/compare.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>
#include <numeric>

#include "command.h"
#include "figures.h"
#include "pare/error.h"
#include "pare/report.h"
#include "table.h"

namespace pare::cli {
namespace {

struct Options {
  Globals globals;
  std::string a, b, data, split, sort = "order", picture;
  std::vector<std::string> shapes;
  std::int64_t limit = 0, batch = 8, random = 8, injection = 16;
  bool float_qdq = false, exact = false;
};

constexpr std::size_t kNameWidth = 44;

/// Infinities have no place in JSON; `identical` tells the two kinds of null apart.
nlohmann::json finite_or_null(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? nlohmann::json(*value) : nlohmann::json();
}

nlohmann::json to_json(const DifferenceInfo& difference) {
  return {{"identical", difference.identical},
          {"snr_db", finite_or_null(difference.snr_db)},
          {"max_error", difference.max_error},
          {"mean_error", difference.mean_error},
          {"cosine", or_null(difference.cosine)},
          {"range_a", {difference.min_a, difference.max_a}},
          {"range_b", {difference.min_b, difference.max_b}},
          {"elements", difference.elements},
          {"mismatched", difference.mismatched}};
}

nlohmann::json to_json(const std::optional<InjectionInfo>& injected) {
  if (!injected) return {};
  return {{"layer_snr_db", finite_or_null(injected->layer_snr_db)},
          {"harmless", injected->harmless},
          {"snr_db", finite_or_null(injected->snr_db)},
          {"agreement", or_null(injected->agreement)}};
}

nlohmann::json to_json(const HistogramInfo& histogram) {
  if (histogram.a.empty()) return {};
  return {{"low", histogram.low}, {"high", histogram.high}, {"a", histogram.a}, {"b", histogram.b}};
}

nlohmann::json to_json(const LayerComparison& layer) {
  nlohmann::json object = {{"layer", layer.layer},
                           {"op_type", layer.op_type},
                           {"value", layer.value},
                           {"other_layer", layer.other_layer},
                           {"other_value", layer.other_value},
                           {"matched_by", layer.matched_by},
                           {"dims", layer.dims},
                           {"drop_db", finite_or_null(layer.drop_db)},
                           {"histogram", to_json(layer.histogram)},
                           {"injected", to_json(layer.injected)}};
  object.update(to_json(layer.difference));
  return object;
}

/// SNR of the output as something to sort by.
float effect(const InjectionInfo& injected) {
  return injected.harmless ? INFINITY : static_cast<float>(injected.snr_db.value_or(-INFINITY));
}

std::vector<std::size_t> order_of(const Comparison& result, const std::string& sort) {
  std::vector<std::size_t> order(result.layers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (sort == "order") return order;
  const auto badness = [&](std::size_t i) {
    const LayerComparison& layer = result.layers[i];
    if (layer.difference.identical) return -INFINITY;
    if (sort == "drop") return static_cast<float>(layer.drop_db.value_or(-INFINITY));
    if (sort == "injected") return layer.injected ? -effect(*layer.injected) : -INFINITY;
    if (sort == "max_error") return static_cast<float>(layer.difference.max_error);
    return static_cast<float>(-layer.difference.snr_db.value_or(INFINITY));
  };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) { return badness(x) > badness(y); });
  return order;
}

nlohmann::json to_json(const Options& options, const Comparison& result) {
  nlohmann::json layers = nlohmann::json::array(), outputs = nlohmann::json::array(),
                 uncompared = nlohmann::json::array();
  for (std::size_t i : order_of(result, options.sort)) layers.push_back(to_json(result.layers[i]));
  for (const OutputComparison& output : result.outputs) {
    nlohmann::json object = {{"output", output.output}, {"other", output.other}};
    object.update(to_json(output.difference));
    outputs.push_back(object);
  }
  for (const UncomparedLayer& layer : result.uncompared)
    uncompared.push_back({{"model", layer.model},
                          {"layer", layer.layer},
                          {"op_type", layer.op_type},
                          {"value", layer.value},
                          {"reason", layer.reason}});
  const bool judged = !result.judged_output.empty();
  return {{"a", options.a},
          {"b", options.b},
          {"data", options.data.empty() ? nlohmann::json() : nlohmann::json(options.data)},
          {"split", result.random ? nlohmann::json() : nlohmann::json(result.split)},
          {"random", result.random},
          {"samples", result.samples},
          {"output", judged ? nlohmann::json(result.judged_output) : nlohmann::json()},
          {"agreement", or_null(result.b.agreement)},
          {"snr_db", or_null(result.b.snr_db)},
          {"metrics",
           {{"a", judged ? cli::to_json(result.a) : nlohmann::json()},
            {"b", judged ? cli::to_json(result.b) : nlohmann::json()}}},
          {"outputs", outputs},
          {"damage", result.damage ? to_json(result.layers[*result.damage]) : nlohmann::json()},
          {"injection_samples", result.injection_samples},
          {"most_sensitive",
           result.most_sensitive ? to_json(result.layers[*result.most_sensitive]) : nlohmann::json()},
          {"layers", layers},
          {"uncompared", uncompared}};
}

std::string snr_text(const DifferenceInfo& difference) {
  if (difference.mismatched > 0 && !difference.snr_db) return "not finite";
  if (!difference.snr_db) return "identical";
  return std::isfinite(*difference.snr_db) ? fixed(*difference.snr_db, 1) : "-inf";
}

std::string figure(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

std::string range(double low, double high) { return figure(low) + " … " + figure(high); }

std::string effect_text(const InjectionInfo& injected) {
  if (injected.harmless) return "none";
  return injected.snr_db && std::isfinite(*injected.snr_db) ? fixed(*injected.snr_db, 1) : "-inf";
}

void print_most_sensitive(const Comparison& result) {
  if (!result.most_sensitive) return;
  const LayerComparison& worst = result.layers[*result.most_sensitive];
  std::cout << "  most sensitive to " << (worst.layer.empty() ? worst.value : worst.layer) << " (" << worst.op_type
            << "): its error alone leaves " << effect_text(*worst.injected) << " dB at the output";
  if (worst.injected->agreement) std::cout << ", " << percent(*worst.injected->agreement, 1) << " agreement";
  std::cout << "  (" << result.injection_samples << " samples)\n";
}

void print_layers(const Options& options, const Comparison& result) {
  Table table({{"layer"},
               {"operator"},
               {"SNR dB", kRight},
               {"drop dB", kRight},
               {"alone dB", kRight},
               {"agrees", kRight},
               {"max error", kRight},
               {"mean error", kRight},
               {"cosine", kRight},
               {"range of A", kRight},
               {"range of B", kRight},
               {"matched"}});
  for (std::size_t i : order_of(result, options.sort)) {
    const LayerComparison& layer = result.layers[i];
    const DifferenceInfo& difference = layer.difference;
    table.add({shortened(layer.layer.empty() ? layer.value : layer.layer, kNameWidth), layer.op_type,
               snr_text(difference), layer.drop_db ? fixed(*layer.drop_db, 1) : "",
               layer.injected ? effect_text(*layer.injected) : "",
               layer.injected && layer.injected->agreement ? percent(*layer.injected->agreement, 1) : "",
               figure(difference.max_error),
               figure(difference.mean_error), difference.cosine ? fixed(*difference.cosine, 5) : "",
               range(difference.min_a, difference.max_a), range(difference.min_b, difference.max_b),
               layer.matched_by == "name" ? "" : "by position: " + shortened(layer.other_layer, kNameWidth)});
  }
  table.print();
}

void print_uncompared(const Comparison& result) {
  if (result.uncompared.empty()) return;
  std::cout << "\nnot compared\n";
  Table table({{"model"}, {"layer"}, {"operator"}, {"reason"}});
  for (const UncomparedLayer& layer : result.uncompared)
    table.add({layer.model == "a" ? "A" : "B", shortened(layer.layer, kNameWidth), layer.op_type, layer.reason});
  table.print(2);
}

void print_result(const Options& options, const Comparison& result) {
  print_layers(options, result);
  print_uncompared(result);
  std::cout << "\nA " << options.a << "\nB " << options.b << "\n"
            << result.samples
            << (result.random ? " random samples (no --data): real data may differ more or less\n"
                              : " samples of " + result.split + "\n");
  for (const OutputComparison& output : result.outputs) {
    const std::string snr = snr_text(output.difference);
    std::cout << "  output " << output.output << ": "
              << (output.difference.identical ? "identical"
                                              : snr + " dB SNR, max error " + figure(output.difference.max_error))
              << "\n";
  }
  if (result.b.agreement) {
    std::cout << "  agreement " << percent(*result.b.agreement) << " of top-1";
    if (result.b.agreement_interval)
      std::cout << "  (95 % interval " << fixed(result.b.agreement_interval->low, 2) << " – "
                << fixed(result.b.agreement_interval->high, 2) << " %)";
    std::cout << "\n";
  }
  if (result.a.top1 && result.b.top1)
    std::cout << "  top-1 A " << percent(*result.a.top1) << ", B " << percent(*result.b.top1) << "\n";
  print_most_sensitive(result);
  if (!result.damage) return;
  const LayerComparison& worst = result.layers[*result.damage];
  std::cout << "  most damage at " << (worst.layer.empty() ? worst.value : worst.layer) << " (" << worst.op_type
            << "): SNR falls by " << fixed(*worst.drop_db, 1) << " dB to " << snr_text(worst.difference) << " dB\n";
}

int dry_run(const Options& options, const Dataset& data) {
  if (options.globals.json) {
    print_json({{"dry_run", true},
                {"a", options.a},
                {"b", options.b},
                {"data", data.empty() ? nlohmann::json() : nlohmann::json(data.description())}});
  } else {
    std::cout << "would compare " << options.a << " with " << options.b << " on "
              << (data.empty() ? std::to_string(options.random) + " random samples" : data.description()) << "\n";
  }
  return 0;
}

void refuse_existing(const Options& options) {
  if (options.picture.empty() || options.globals.force || !std::filesystem::exists(options.picture)) return;
  throw Error(ErrorCode::kUsage, options.picture, "exists", "--force to replace it");
}

int run(const Options& options) {
  refuse_existing(options);
  const Model a = load_model(options.a, options.globals), b = load_model(options.b, options.globals);
  const Dataset data = options.data.empty() ? Dataset() : Dataset::open(options.data, a);
  if (options.globals.dry_run) return dry_run(options, data);
  CompareOptions how;
  how.execution = options.globals.execution();
  how.control = make_control(options.globals);
  how.split = options.split;
  how.limit = options.limit;
  how.batch = options.batch;
  how.random = options.random;
  how.injection = options.injection;
  how.float_qdq = options.float_qdq;
  how.exact = options.exact;
  how.shapes = parse_shapes(options.shapes);
  if (data.empty())
    how.control.warn(
        "no --data: comparing on random inputs, which tells whether the models compute the same, not what "
        "a difference costs");
  const Comparison result = compare(a, b, data, how);
  const nlohmann::json object = to_json(options, result);
  if (!options.picture.empty())
    write_comparison(options.picture, object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                     options.globals.force);
  if (options.globals.json) {
    print_json(object);
  } else {
    print_result(options, result);
    if (!options.picture.empty()) std::cout << "wrote " << options.picture << "\n";
  }
  return 0;
}

}  // namespace

void add_compare(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("compare", "where two models differ, layer by layer");
  command->add_option("A", options->a, "the original, an ONNX or .pare file")->required()->type_name("");
  command->add_option("B", options->b, "the model to compare with it")->required()->type_name("");
  CLI::Option* data =
      command->add_option("--data", options->data, "data description (docs/data.md); without it the inputs are random")
          ->type_name("D.yaml");
  command->add_option("--split", options->split, "test, val or train (default: the first of them that there is)")
      ->check(CLI::IsMember({"test", "val", "train"}))
      ->needs(data)
      ->type_name("NAME");
  command->add_option("--limit", options->limit, "only the first N samples")
      ->check(CLI::NonNegativeNumber)
      ->needs(data)
      ->type_name("N");
  command->add_option("--batch", options->batch, "samples run at once (default 8)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command->add_option("--random", options->random, "random samples without --data (default 8)")
      ->check(CLI::PositiveNumber)
      ->excludes(data)
      ->type_name("N");
  add_shapes(*command, options->shapes);
  command->add_option("--injection", options->injection,
                      "samples on which each layer's error alone is put into A, to see what it does to the output (default "
                      "16; 0: none)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command->add_option("--svg", options->picture, "a picture of the layers: SNR, effect at the output, distributions")
      ->type_name("FILE");
  command->add_option("--sort", options->sort, "worst layers first: by snr (default), drop, injected or max_error")
      ->expected(0, 1)
      ->default_str("snr")
      ->check(CLI::IsMember({"order", "snr", "drop", "injected", "max_error"}))
      ->type_name("KEY");
  command->add_flag("--float-qdq", options->float_qdq, "run quantized nodes as written, in float");
  add_exact(*command, options->exact);
  add_globals(*command, options->globals);
  command->callback([options, &invocation] { invocation.action = [options] { return run(*options); }; });
}

}  // namespace pare::cli
