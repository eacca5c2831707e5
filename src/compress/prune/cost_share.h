// What a smaller model costs as a share of the original: what the budgets `macs` and `latency` are about.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compress/method.h"
#include "exec/backend.h"

namespace pare::compress {

/// The options `macs` and `latency`.
std::vector<Option> budget_options();

/// The option that is given: "macs" or "latency". Error(kUsage) where two of these and of `others` are.
std::optional<std::string> budget_of(const nlohmann::json& options, std::span<const std::string> others = {});

/// Latency is the median of both models' runs in turns on this machine, on random inputs of the sizes that the data
/// has.
class CostShare {
 public:
  /// `of`: "macs" or "latency". `original` is kept by reference.
  CostShare(const ir::Model& original, const std::string& of, const StepContext& context);
  double operator()(const ir::Model& smaller);
  /// What the record tells: context.record["budget"] is this and what a method adds.
  nlohmann::json record(double reached) const;
  double wanted() const { return wanted_; }  ///< 1 where the option is not given

 private:
  double macs(const ir::Model& model) const;
  std::unique_ptr<exec::Executor> compile(const ir::Model& model) const;

  const StepContext& context_;
  std::string of_;
  double wanted_, macs_before_ = 1;
  std::unique_ptr<exec::Executor> original_;
  NamedTensors inputs_;
};

}  // namespace pare::compress
