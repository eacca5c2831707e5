#include "job.h"

#include <algorithm>
#include <iostream>

#include "pare/error.h"
#include "pare/text.h"
#include "table.h"

namespace pare::cli {
namespace {

using nlohmann::json;

/// The value at a JSON pointer, null when any part of the way is absent or null.
json at(const json& object, const char* pointer) {
  const json::json_pointer path(pointer);
  return object.contains(path) ? object.at(path) : json();
}

struct Row {
  const char* title;
  const char* pointer;  ///< into a SUMMARY of run.json
  std::string (*show)(double);
};

std::string show_percent(double value) { return percent(value); }
std::string show_bytes(double value) { return format_bytes(static_cast<std::int64_t>(value)); }
std::string show_count(double value) { return format_count(static_cast<std::int64_t>(value)); }
std::string show_loss(double value) { return fixed(value, 4); }

constexpr Row kRows[] = {
    {"val top-1", "/val/top1", show_percent},
    {"val agreement", "/val/agreement", show_percent},
    {"val R²", "/val/r2", show_percent},
    {"test top-1", "/test/top1", show_percent},
    {"test agreement", "/test/agreement", show_percent},
    {"test R²", "/test/r2", show_percent},
    {"test MSE", "/test/mse", show_loss},
    {"test loss", "/test/loss", show_loss},
    {"file", "/file_bytes", show_bytes},
    {"file, gzip", "/gzip_bytes", show_bytes},
    {"parameters", "/parameters", show_count},
    {"nonzero parameters", "/nonzero_parameters", show_count},
    {"MACs", "/macs", show_count},
    {"latency, ms", "/latency/median_ms", milliseconds},
    {"peak memory", "/peak_memory_bytes", show_bytes},
};

void print_summary(const json& run) {
  Table table({{""}, {"before", kRight}, {"after", kRight}, {"after/before", kRight}});
  for (const Row& row : kRows) {
    const json before = at(run, (std::string("/before") + row.pointer).c_str());
    const json after = at(run, (std::string("/after") + row.pointer).c_str());
    const auto text = [&](const json& value) {
      return value.is_number() ? row.show(value.get<double>()) : std::string("–");
    };
    if (!before.is_number() && !after.is_number()) continue;
    const bool ratio = before.is_number() && after.is_number() && before.get<double>() > 0 && row.show != show_percent;
    table.add(
        {row.title, text(before), text(after), ratio ? fixed(after.get<double>() / before.get<double>(), 3) : ""});
  }
  table.print();
}

void print_notes(const json& run) {
  for (const json& step : at(run, "/steps")) {
    for (const json& note : at(step, "/notes")) {
      if (note.is_string()) std::cout << step.value("step", "") << ": " << note.get<std::string>() << "\n";
    }
  }
  for (const json& note : at(run, "/notes")) {
    if (note.is_string()) std::cout << "note: " << note.get<std::string>() << "\n";
  }
}

std::string between(const json& ends) {
  return fixed(ends.at(0).get<double>(), 3) + " … " + fixed(ends.at(1).get<double>(), 3);
}

void print_reverted(const json& accuracy) {
  if (accuracy.at("reverted").empty()) return;
  std::cout << "\nback to float (" << accuracy.at("metric").get<std::string>() << " on val: "
            << fixed(accuracy.at("drop_of_all").get<double>(), 2) << " points lost became "
            << fixed(accuracy.at("drop").get<double>(), 2) << "):\n";
  Table table({{"layer"}, {"SNR alone, dB", kRight}, {"MACs", kRight}});
  for (const json& layer : accuracy.at("reverted"))
    table.add({layer.at("node"), fixed(layer.at("snr_db").get<double>(), 1),
               percent(100 * layer.at("mac_share").get<double>(), 1)});
  table.print();
}

void print_calibration(const json& check) {
  constexpr std::size_t kMost = 10;
  std::cout << "\ncalibrated on " << check.at("subsets") << " parts of " << check.at("samples") << " samples";
  const auto tell = [&](const char* key, const char* unit) {
    const json& spread = check.at(key);
    if (spread.is_null()) return;
    std::cout << "; " << unit << " " << fixed(spread.at("least").get<double>(), 2) << " … "
              << fixed(spread.at("most").get<double>(), 2);
  };
  tell("snr_db", "SNR, dB:");
  tell("metric", "metric on val:");
  std::cout << "\n";
  Table table({{"range that spreads most"}, {"lower end", kRight}, {"upper end", kRight}, {"spread", kRight}});
  for (std::size_t i = 0; i < std::min(kMost, check.at("values").size()); ++i) {
    const json& value = check.at("values")[i];
    table.add({shortened(value.at("value"), 40), between(value.at("low")), between(value.at("high")),
               percent(100 * value.at("spread").get<double>(), 1)});
  }
  table.print();
}

/// What quantization found out on the way.
void print_quantized(const json& run) {
  for (const json& step : at(run, "/steps")) {
    if (step.contains("accuracy")) print_reverted(step.at("accuracy"));
    if (step.contains("calibration_check")) print_calibration(step.at("calibration_check"));
  }
}

void print_plan(const json& plan) {
  std::cout << "would run on " << plan.value("data", "no data") << ":\n";
  int number = 0;
  for (const json& step : at(plan, "/steps")) {
    const std::string method = step.value("method", "");
    const json targets = at(step, "/targets");
    std::cout << "  " << ++number << ". " << step.value("step", "") << (method.empty() ? "" : " (" + method + ")")
              << ": " << step.value("summary", "");
    if (targets.is_array()) std::cout << "; " << targets.size() << (targets.size() == 1 ? " layer" : " layers");
    std::cout << (step.value("needs_training", false) ? "; trains\n" : "\n");
  }
  std::vector<std::string> paths;
  for (const json& path : at(plan, "/writes")) paths.push_back(path.get<std::string>());
  std::cout << "would write " << joined(paths, ", ") << "\n";
}

/// The step whose budget was not met, in words; "" when all were.
std::string budget_message(const json& run) {
  for (const json& step : run.at("steps")) {
    if (!step.contains("budget") || step.at("budget").at("met").get<bool>()) continue;
    const json& budget = step.at("budget");
    return budget.at("of").get<std::string>() + " came down to " + fixed(100 * budget.at("reached").get<double>(), 1) +
           " % of what they were, the budget is " + fixed(100 * budget.at("wanted").get<double>(), 1) +
           " %; the best that was reached is written";
  }
  return "";
}

/// The step that lost more than it may, in words; "" when none did.
std::string accuracy_message(const json& run) {
  for (const json& step : run.at("steps")) {
    if (!step.contains("accuracy") || step.at("accuracy").at("met").get<bool>()) continue;
    const json& accuracy = step.at("accuracy");
    return "quantization loses " + fixed(accuracy.at("drop").get<double>(), 2) + " points of " +
           accuracy.at("metric").get<std::string>() + " on val with " +
           std::to_string(accuracy.at("reverted").size()) + " layers back in float, " +
           fixed(accuracy.at("max_drop").get<double>(), 2) + " are allowed; the best that was reached is written";
  }
  return "";
}

std::string gate_message(const json& run) {
  if (const std::string budget = budget_message(run); !budget.empty()) return budget;
  if (const std::string accuracy = accuracy_message(run); !accuracy.empty()) return accuracy;
  const auto number = [&](const char* pointer) {
    const json value = at(run, pointer);
    return value.is_number() ? fixed(value.get<double>(), 2) : std::string("?");
  };
  return "the drop is " + number("/gate/drop") + " points, the recipe allows " + number("/gate/max_drop") +
         "; the results are written";
}

}  // namespace

int run_job(const Model& model, const Dataset& data, const Recipe& recipe, const Outputs& outputs,
            const Globals& globals, const std::string& command) {
  CompressOptions options;
  options.execution = globals.execution();
  options.resume = globals.resume;
  options.force = globals.force;
  options.command = command;
  if (globals.dry_run) {
    const json plan = json::parse(plan_compression(model, data, recipe, outputs, options));
    if (globals.json) {
      print_json(plan);
    } else {
      print_plan(plan);
    }
    return 0;
  }
  options.control = make_control(globals);
  const CompressResult result = compress_model(model, data, recipe, outputs, options);
  const json run = json::parse(result.run_json);
  if (globals.json) {
    print_json(run);
  } else {
    print_summary(run);
    print_quantized(run);
    print_notes(run);
    std::cout << "wrote " << joined(result.written, ", ") << "\n";
  }
  if (!result.gate_passed) throw Error(ErrorCode::kGateNotMet, "gate", gate_message(run));
  return 0;
}

}  // namespace pare::cli
