#include "compress/prune/cost_share.h"

#include "base/threads.h"
#include "compress/statistics.h"
#include "eval/measure.h"
#include "eval/turns.h"
#include "ir/infer.h"
#include "pare/error.h"

namespace pare::compress {

std::vector<Option> budget_options() {
  using enum OptionType;
  return {{"macs", kFloat, "null", "budget instead: share of the MACs that may stay", {}, 0.001, 1},
          {"latency",
           kFloat,
           "null",
           "budget instead: share of the latency, measured on this machine, that may stay",
           {},
           0.001,
           1}};
}

std::optional<std::string> budget_of(const nlohmann::json& options, std::span<const std::string> others) {
  std::vector<std::string> keys(others.begin(), others.end());
  keys.insert(keys.end(), {"macs", "latency"});
  std::string given;
  for (const std::string& key : keys) {
    if (options.at(key).is_null()) continue;
    if (!given.empty())
      throw Error(ErrorCode::kUsage, "prune." + key, "contradicts prune." + given, "one of them", "both");
    given = key;
  }
  return given == "macs" || given == "latency" ? std::optional(given) : std::nullopt;
}

CostShare::CostShare(const ir::Model& original, const std::string& of, const StepContext& context)
    : context_(context), of_(of), wanted_(context.options.at(of).is_null() ? 1 : context.options.at(of).get<double>()) {
  if (of_ == "macs") {
    macs_before_ = macs(original);
    return;
  }
  original_ = compile(original);
  inputs_ = eval::random_inputs(original, measured_shapes(original, context.dataset), context.execution.seed);
}

double CostShare::macs(const ir::Model& model) const {
  double total = 0;
  for (const ir::NodeMacs& one : ir::count_macs(model, measured_shapes(model, context_.dataset)))
    total += static_cast<double>(one.macs);
  return total;
}

std::unique_ptr<exec::Executor> CostShare::compile(const ir::Model& model) const {
  return context_.backend.compile(
      model, {.threads = resolve_threads(context_.execution.threads), .max_memory = context_.execution.max_memory});
}

double CostShare::operator()(const ir::Model& smaller) {
  if (of_ == "macs") return macs(smaller) / macs_before_;
  context_.control.check_cancelled();
  const std::unique_ptr<exec::Executor> executor = compile(smaller);
  const std::vector<eval::Contestant> pair = {{original_.get(), inputs_}, {executor.get(), inputs_}};
  const auto times = eval::measure_in_turns(pair, {.seconds = 0.3});
  return times[1].median_ms / times[0].median_ms;
}

nlohmann::json CostShare::record(double reached) const {
  return {{"of", of_}, {"wanted", wanted_}, {"reached", reached}, {"met", reached <= wanted_}};
}

}  // namespace pare::compress
