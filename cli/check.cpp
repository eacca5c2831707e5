// pare check MODEL
#include "pare/check.h"

#include <algorithm>
#include <iostream>
#include <memory>

#include "command.h"
#include "figures.h"
#include "pare/error.h"
#include "table.h"

namespace pare::cli {
namespace {

struct Options {
  Globals globals;
  std::string model;
  bool train = false;
};

nlohmann::json to_json(const std::string& model, const CheckReport& report) {
  nlohmann::json object = {{"model", model},
                           {"valid", report.valid()},
                           {"problems", report.problems},
                           {"non_finite", nlohmann::json::array()},
                           {"runtime", {{"refusals", cli::to_json(report.runtime)}}},
                           {"train", nullptr},
                           {"possible", report.possible}};
  for (const NonFiniteTensor& tensor : report.non_finite) {
    object["non_finite"].push_back({{"tensor", tensor.tensor},
                                    {"nans", tensor.nans},
                                    {"infinities", tensor.infinities},
                                    {"elements", tensor.elements},
                                    {"harmful", tensor.harmful}});
  }
  if (report.train_asked) {
    object["train"] = {{"refusals", cli::to_json(report.train)},
                       {"unavailable", report.train_unavailable.empty() ? nlohmann::json()
                                                                        : nlohmann::json(report.train_unavailable)}};
  }
  return object;
}

void print_refusals(const char* executor, const std::vector<RefusalInfo>& refusals) {
  if (refusals.empty()) {
    std::cout << executor << "  takes every node\n";
    return;
  }
  std::cout << executor << "  refuses " << refusals.size() << (refusals.size() == 1 ? " node\n" : " nodes\n");
  Table table({{"node"}, {"operator"}, {"opset"}, {"inputs"}, {"because"}});
  for (const RefusalInfo& refusal : refusals)
    table.add(
        {refusal.node, refusal.op_type, std::to_string(refusal.opset), joined(refusal.inputs, ", "), refusal.reason});
  table.print(2);
}

void print_report(const std::string& model, const CheckReport& report) {
  std::cout << model << "\n";
  std::cout << "valid    " << (report.problems.empty() ? "yes" : "no") << "\n";
  for (const std::string& problem : report.problems) std::cout << "  " << problem << "\n";
  std::cout << "finite   " << (report.non_finite.empty() ? "all weights" : "no") << "\n";
  for (const NonFiniteTensor& tensor : report.non_finite) {
    std::cout << "  " << tensor.tensor << ": " << tensor.nans << " NaN, " << tensor.infinities << " infinite of "
              << tensor.elements << (tensor.harmful ? "" : " (harmless: not a weight)") << "\n";
  }
  if (report.problems.empty()) {
    print_refusals("runtime", report.runtime);
    if (!report.train_unavailable.empty()) {
      std::cout << "trainer  not asked: " << report.train_unavailable << "\n";
    } else if (report.train_asked) {
      print_refusals("trainer", report.train);
    }
  }
  std::cout << "possible " << joined(report.possible, ", ") << "\n";
}

std::string operators_of(const std::vector<RefusalInfo>& refusals) {
  std::vector<std::string> types;
  for (const RefusalInfo& refusal : refusals) {
    if (std::find(types.begin(), types.end(), refusal.op_type) == types.end()) types.push_back(refusal.op_type);
  }
  return joined(types, ", ");
}

/// The findings as the error that ends the command; returns when there is none.
void fail_on_findings(const std::string& model, const CheckReport& report) {
  if (!report.problems.empty()) throw Error(ErrorCode::kBadInput, model, report.problems.front());
  for (const NonFiniteTensor& tensor : report.non_finite) {
    if (!tensor.harmful) continue;
    throw Error(ErrorCode::kBadInput, model + ": " + tensor.tensor, "weights that are not finite", "finite numbers",
                std::to_string(tensor.nans) + " NaN and " + std::to_string(tensor.infinities) + " infinite of " +
                    std::to_string(tensor.elements));
  }
  const std::string possible = "; possible: " + joined(report.possible, ", ");
  if (!report.runtime.empty()) {
    throw Error(ErrorCode::kUnsupported, model, "the runtime refuses " + operators_of(report.runtime) + possible);
  }
  if (!report.train_unavailable.empty()) throw Error(ErrorCode::kUnsupported, model, report.train_unavailable);
  if (!report.train.empty()) {
    throw Error(ErrorCode::kUnsupported, model, "the trainer refuses " + operators_of(report.train) + possible);
  }
}

int run(const Options& options) {
  const CheckReport report = check(load_model(options.model, options.globals), {options.train});
  if (options.globals.json) {
    print_json(to_json(options.model, report));
  } else {
    print_report(options.model, report);
  }
  fail_on_findings(options.model, report);
  return 0;
}

}  // namespace

void add_check(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("check", "validity, weights that are not finite, what each executor refuses and why");
  add_model(*command, options->model);
  command->add_flag("--train", options->train, "ask the trainer too (loads the training plug-in)");
  add_globals(*command, options->globals);
  command->callback([options, &invocation] { invocation.action = [options] { return run(*options); }; });
}

}  // namespace pare::cli
