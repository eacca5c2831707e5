// One removal of channels: groups, scores, selection, physical removal and reconstruction.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compress/method.h"
#include "compress/prune/unit_selection.h"
#include "ir/groups.h"

namespace pare::compress {

/// Groups of the model; those that the step must not touch have `blocked` set. `original`: the model before the first
/// step. The model is prepared (passes/prepare_groups.h).
std::vector<ir::ChannelGroup> target_groups(const ir::Model& model, const ir::Model& original,
                                            const nlohmann::json& options);

/// Error(kUnsupported) where there is no group, or none that may lose a channel.
void require_some(const std::vector<ir::ChannelGroup>& groups);

/// Channels are kept in multiples of this. Error(kUsage) for what is no number of channels.
std::int64_t rounding_of(const nlohmann::json& options);

/// Removals in equal rounds, each of the same share of what is left (Han et al., Learning both Weights and Connections
/// for Efficient Neural Networks, 2015), until the options' ratio or budget of the model before the first is reached.
class UnitRemoval {
 public:
  /// `before`: the model before the first round, for as long as there are rounds.
  UnitRemoval(const ir::Model& before, std::int64_t rounds, const StepContext& context);

  /// Removes what goes in `round`, from 1. The context's record gets `importance`, `filters`, `budget` and
  /// `reconstruction` of this round.
  void remove(ir::Model& model, std::int64_t round, const StepContext& context) const;

 private:
  UnitRule rule_for(const std::vector<ir::ChannelGroup>& groups, double progress) const;
  UnitRule within_budget(const ir::Model& model, const std::vector<ir::ChannelGroup>& groups,
                         const std::vector<std::vector<double>>& scores, UnitRule rule, const std::string& of,
                         double progress, const StepContext& context) const;

  const ir::Model& before_;
  std::int64_t rounds_;
  const nlohmann::json& options_;
  std::map<std::string, std::int64_t> units_;  ///< by group, before the first round
};

}  // namespace pare::compress
