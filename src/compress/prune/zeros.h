// What the methods that zero weights share: the options of patterns, their targets, masks and record.
#pragma once

#include <vector>

#include "compress/method.h"
#include "compress/option.h"
#include "compress/prune/selection.h"

namespace pare::compress {

/// `pattern` and `sparsity`.
std::vector<Option> pattern_options();

/// `threshold`, `scope` and `most`, with these words: how weights are ranked (strings that outlive the options).
struct RankingWords {
  std::string_view scope;                ///< the default, as JSON
  std::string_view scope_help, most_help;
  std::vector<std::string_view> scopes;  ///< that may be chosen
};
std::vector<Option> ranking_options(const RankingWords& words);

/// The rule that `pattern`, `sparsity` and, where the method has them, `scope`, `threshold`, `most` and `keep_zeros`
/// give.
/// Error(kUsage) where they contradict each other.
PruneRule prune_rule(const nlohmann::json& options);

/// The weights of the layers that `include` and `exclude` leave, each once. Error(kUnsupported) for one that is not
/// f32.
std::vector<PruneTarget> prune_targets(const ir::Model& model, const nlohmann::json& options);

/// Sets masks on the initializers, and the weights under them to zero.
void annotate_masks(ir::Graph& graph, std::span<const PruneTarget> targets, const std::vector<Tensor>& masks);

/// The same targets with the weights that the graph has now.
std::vector<PruneTarget> refreshed(const ir::Graph& graph, std::vector<PruneTarget> targets);

/// After training the masks of the targets are what is zero: the trainer kept every masked weight at exactly zero.
void mask_trained(ir::Graph& graph, const std::vector<PruneTarget>& targets);

/// uint8, 0 where the weight is zero.
Tensor mask_of_zeros(const Tensor& weight);

/// `importance` of the step's record: how many of what was ranked score what, and how many of these stay; 20 equal bins
/// from 0, or the least score where that is below, to the largest.
nlohmann::json importance_histogram(std::span<const double> scores, const std::vector<bool>& kept);
/// Sets it in the step's record: of the weights of all targets as they were ranked, with these masks, and `layers`,
/// that of each.
void record_importance(std::span<const PruneTarget> targets, const std::vector<Tensor>& masks, StepContext& context);
/// The same for a graph that has their zeros.
void record_importance(const ir::Graph& graph, std::span<const PruneTarget> targets, StepContext& context);

/// `pruned` of the step's record. Error(kInternal) where a weight does not have the pattern.
void record_zeros(const std::vector<PruneTarget>& targets, const PruneRule& rule, StepContext& context);

}  // namespace pare::compress
