// pare bench MODEL…
#include "pare/bench.h"

#include <iostream>
#include <memory>

#include "command.h"
#include "figures.h"
#include "pare/text.h"
#include "table.h"

namespace pare::cli {
namespace {

struct Options {
  Globals globals;
  std::vector<std::string> models, shapes;
  std::vector<std::int64_t> batches = {1};
  double seconds = 1;
  bool profile = false, no_tune = false;
  DType precision = DType::kFloat32;
  bool exact = false;
};

constexpr std::size_t kNameWidth = 48;

nlohmann::json to_json(const BenchResult& result, bool profile) {
  nlohmann::json object = {{"model", result.model},
                           {"threads", result.threads},
                           {"batch", result.batch},
                           {"shapes", cli::to_json(result.shapes)},
                           {"latency", cli::to_json(result.latency)},
                           {"throughput", result.throughput},
                           {"batching", result.batching},
                           {"weight_bytes", result.weight_bytes},
                           {"arena_bytes", result.arena_bytes},
                           {"process_peak_bytes", result.process_peak_bytes}};
  if (!profile) return object;
  object["profile"] = nlohmann::json::array();
  for (const StepProfile& step : result.profile) {
    object["profile"].push_back({{"kernel", step.kernel},
                                 {"op_type", step.op_type},
                                 {"node", step.node},
                                 {"output_dims", step.output_dims},
                                 {"macs", step.macs},
                                 {"multiplies", pare::name(step.multiplies)},
                                 {"peak_share", step.peak_share},
                                 {"median_ms", step.median_ms},
                                 {"reason", step.reason}});
  }
  return object;
}

void print_profile(const BenchResult& result) {
  std::cout << "\n"
            << result.model << ", threads " << result.threads << ", batch " << result.batch << ": time by step\n";
  double total = 0;
  for (const StepProfile& step : result.profile) total += step.median_ms;
  Table table({{"kernel"},
               {"node"},
               {"output"},
               {"ms", kRight},
               {"share", kRight},
               {"GMAC/s", kRight},
               {"of peak", kRight},
               {"why"}});
  for (const StepProfile& step : result.profile) {
    const bool computes = step.macs > 0 && step.median_ms > 0;
    table.add({step.kernel, shortened(step.node, kNameWidth), shape_text(step.output_dims),
               milliseconds(step.median_ms), percent(total > 0 ? 100 * step.median_ms / total : 0, 1),
               computes ? fixed(static_cast<double>(step.macs) / step.median_ms / 1e6, 1) : "",
               step.peak_share > 0 ? percent(100 * step.peak_share, 1) : "", step.reason});
  }
  table.print(2);
}

void print_results(const std::vector<BenchResult>& results) {
  Table table({{"model"},
               {"threads", kRight},
               {"batch", kRight},
               {"median ms", kRight},
               {"p90 ms", kRight},
               {"samples/s", kRight},
               {"weights", kRight},
               {"arena", kRight},
               {"process peak", kRight},
               {"runs", kRight}});
  for (const BenchResult& result : results) {
    table.add({shortened(result.model, kNameWidth), std::to_string(result.threads), std::to_string(result.batch),
               milliseconds(result.latency.median_ms), milliseconds(result.latency.p90_ms), fixed(result.throughput, 1),
               format_bytes(result.weight_bytes), format_bytes(result.arena_bytes), format_bytes(result.process_peak_bytes),
               std::to_string(result.latency.runs)});
  }
  table.print();
  for (const BenchResult& result : results) {
    if (result.batching.empty()) continue;
    std::cout << shortened(result.model, kNameWidth) << ", threads " << result.threads << ": " << result.batching << "\n";
  }
  for (const BenchResult& result : results) {
    if (!result.profile.empty()) print_profile(result);
  }
}

int run(const Options& options) {
  BenchOptions how;
  how.threads = options.globals.threads;
  how.batches = options.batches;
  how.shapes = parse_shapes(options.shapes);
  how.seconds = options.seconds;
  how.profile = options.profile;
  how.precision = options.precision;
  how.exact = options.exact;
  how.tune = !options.no_tune;
  how.seed = options.globals.seed;
  how.max_memory = options.globals.execution().max_memory;
  std::vector<Model> models;
  for (const std::string& path : options.models) models.push_back(load_model(path, options.globals));
  if (options.globals.dry_run) {
    const std::size_t settings = how.threads.size() * how.batches.size();
    const double seconds = options.seconds * static_cast<double>(settings * models.size());
    if (options.globals.json) {
      print_json({{"dry_run", true},
                  {"models", options.models},
                  {"threads", how.threads},
                  {"batches", how.batches},
                  {"seconds", seconds}});
    } else {
      std::cout << "would time " << models.size() << " models in " << settings << " settings, about "
                << format_duration(seconds) << "\n";
    }
    return 0;
  }
  how.control = make_control(options.globals);
  const std::vector<BenchResult> results = bench(models, how);
  if (!options.globals.json) {
    print_results(results);
    return 0;
  }
  nlohmann::json list = nlohmann::json::array();
  for (const BenchResult& result : results) {
    list.push_back(to_json(result, options.profile));
    list.back()["precision"] = precision_name(options.precision);
  }
  print_json({{"results", list}});
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("bench", "latency and throughput; models are timed in turns");
  command->add_option("MODEL", options->models, "models, ONNX or .pare files")->required()->type_name("…");
  command->add_option("--batch", options->batches, "batch sizes (default 1)")
      ->delimiter(',')
      ->check(CLI::PositiveNumber)
      ->type_name("N,…");
  add_shapes(*command, options->shapes);
  command->add_option("--seconds", options->seconds, "for each model and setting (default 1)")
      ->check(CLI::PositiveNumber)
      ->type_name("S");
  command->add_flag("--profile", options->profile, "time by step of the plan");
  add_precision(*command, options->precision);
  add_exact(*command, options->exact);
  command->add_flag("--no-tune", options->no_tune,
                    "choose kernels by estimates, not by timing them the first time that a shape is seen");
  add_globals(*command, options->globals, true);
  command->callback([options, &invocation] { invocation.action = [options] { return run(*options); }; });
}

}  // namespace pare::cli
