// pare eval MODEL --data D.yaml
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>

#include "command.h"
#include "figures.h"
#include "pare/evaluate.h"
#include "pare/text.h"
#include "table.h"

namespace pare::cli {
namespace {

struct Options {
  Globals globals;
  std::string model, data, reference, split = "test";
  std::int64_t limit = 0, batch = 32;
  DType precision = DType::kFloat32;
  bool exact = false;
};

nlohmann::json to_json(const Options& options, const Evaluation& result) {
  nlohmann::json object = {
      {"model", options.model},
      {"reference", options.reference.empty() ? nlohmann::json() : nlohmann::json(options.reference)},
      {"precision", precision_name(options.precision)},
      {"split", result.split},
      {"output", result.output},
      {"samples", result.quality.samples},
      {"metrics", cli::to_json(result.quality)},
      {"latency", nullptr},
      {"bytes", result.bytes}};
  if (result.latency) {
    object["latency"] = cli::to_json(*result.latency);
    object["latency"]["threads"] = result.threads;
    object["latency"]["batch"] = result.latency_batch;
  }
  return object;
}

/// Four significant digits: errors have the unit of the targets.
std::string significant(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::string with_interval(double value, const std::optional<Interval95>& interval) {
  if (!interval) return percent(value);
  return percent(value) + "  (95 % interval " + fixed(interval->low, 2) + " – " + fixed(interval->high, 2) + " %)";
}

void print_result(const Options& options, const Evaluation& result) {
  const Quality& quality = result.quality;
  std::cout << options.model << " on " << quality.samples << " samples of " << result.split;
  if (result.outputs > 1) std::cout << ", output '" << result.output << "' of " << result.outputs;
  std::cout << "\n";
  if (quality.top1) std::cout << "  top-1      " << with_interval(*quality.top1, quality.top1_interval) << "\n";
  if (quality.top5) std::cout << "  top-5      " << percent(*quality.top5) << "\n";
  if (quality.loss) std::cout << "  loss       " << fixed(*quality.loss, 4) << " (mean cross-entropy)\n";
  if (quality.mse) std::cout << "  MSE        " << significant(*quality.mse) << "\n";
  if (quality.mae) std::cout << "  MAE        " << significant(*quality.mae) << "\n";
  if (quality.r2) std::cout << "  R²         " << percent(*quality.r2) << " of the targets' variance\n";
  if (quality.agreement) {
    std::cout << "  agreement  " << with_interval(*quality.agreement, quality.agreement_interval) << " with "
              << options.reference << "\n";
  }
  if (!options.reference.empty())
    std::cout << "  SNR        " << (quality.snr_db ? fixed(*quality.snr_db, 1) + " dB" : "identical outputs") << "\n";
  if (result.latency) {
    std::cout << "  latency    " << milliseconds(result.latency->median_ms) << " ms median, "
              << milliseconds(result.latency->p90_ms) << " ms p90 (batch " << result.latency_batch << ", "
              << result.threads << (result.threads == 1 ? " thread, " : " threads, ") << result.latency->runs
              << " runs)\n";
  }
  std::cout << "  file       " << format_bytes(result.bytes) << "\n";
}

int dry_run(const Options& options, const Dataset& data) {
  const std::int64_t size = data.size(options.split);
  const std::int64_t samples = options.limit > 0 ? std::min(options.limit, size) : size;
  if (options.globals.json) {
    print_json({{"dry_run", true},
                {"model", options.model},
                {"data", data.description()},
                {"split", options.split},
                {"samples", samples}});
  } else {
    std::cout << "would run " << std::max<std::int64_t>(samples, 0) << " samples of " << options.split << " through "
              << options.model << " (" << data.description() << ")\n";
  }
  return 0;
}

int run(const Options& options) {
  const Model model = load_model(options.model, options.globals);
  std::optional<Model> reference;
  if (!options.reference.empty()) reference = load_model(options.reference, options.globals);
  const Dataset data = Dataset::open(options.data, model);
  if (options.globals.dry_run) return dry_run(options, data);
  EvaluateOptions how;
  how.execution = options.globals.execution();
  how.control = make_control(options.globals);
  how.split = options.split;
  how.limit = options.limit;
  how.batch = options.batch;
  how.precision = options.precision;
  how.exact = options.exact;
  const Evaluation result = evaluate(model, data, reference ? &*reference : nullptr, how);
  if (options.globals.json) {
    print_json(to_json(options, result));
  } else {
    print_result(options, result);
  }
  return 0;
}

}  // namespace

void add_eval(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("eval", "accuracy, loss, agreement with a reference, latency, bytes");
  add_model(*command, options->model);
  command->add_option("--data", options->data, "data description (docs/data.md)")->required()->type_name("D.yaml");
  command->add_option("--reference", options->reference, "compare the outputs with this model's")->type_name("MODEL");
  command->add_option("--split", options->split, "test, val or train (default test)")
      ->check(CLI::IsMember({"test", "val", "train"}))
      ->type_name("NAME");
  command->add_option("--limit", options->limit, "only the first N samples")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command->add_option("--batch", options->batch, "samples run at once (default 32)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  add_precision(*command, options->precision);
  add_exact(*command, options->exact);
  add_globals(*command, options->globals);
  command->callback([options, &invocation] { invocation.action = [options] { return run(*options); }; });
}

}  // namespace pare::cli
