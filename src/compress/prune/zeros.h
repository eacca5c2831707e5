// What the methods that zero weights share: the options of patterns, their targets, masks and record.
#pragma once

#include <vector>

#include "compress/method.h"
#include "compress/option.h"
#include "compress/prune/selection.h"
#include "compress/targets.h"

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

/// The options of training for a step that has a schedule of its own: the learning rate's is `lr_schedule`.
std::vector<Option> pruning_training();
/// The same where training is left out unless `epochs`, of this help, is given.
std::vector<Option> optional_training(std::string_view epochs_help);

/// What a method of this step that zeros single weights says of itself; all else of its row is alike.
struct ZeroingMethod {
  std::string_view name, summary, paper;
  std::span<const Option> (*options)();
  bool (*needs_gradients)(const nlohmann::json& options);
  void (*validate)(const ir::Model&, const StepContext&);
  void (*apply)(ir::Model&, const Statistics&, StepContext&);
  std::vector<std::string> (*files)(const nlohmann::json& options) = nullptr;
};
Method zeroing_method(const ZeroingMethod& own);

/// The rule that `pattern`, `sparsity` and, where the method has them, `scope`, `threshold`, `most` and `keep_zeros`
/// give.
/// Error(kUsage) where they contradict each other.
PruneRule prune_rule(const nlohmann::json& options);

/// The layers, transposed convolutions and recurrent weights (weights.h) that `include` and `exclude` leave; of those that
/// share a weight the first.
std::vector<Layer> distinct_layers(const ir::Model& model, const nlohmann::json& options);
/// Their names, for Method::targets.
std::vector<std::string> layer_names(const ir::Model& model, const nlohmann::json& options);

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

/// `pruned` of the step's record, and notes on what no method can prune. Error(kInternal) where a weight does not have
/// the pattern.
void record_zeros(const ir::Graph& graph, const std::vector<PruneTarget>& targets, const PruneRule& rule, StepContext& context);

}  // namespace pare::compress
