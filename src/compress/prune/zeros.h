// What the methods that zero weights share: the options of patterns, their targets, masks and record.
#pragma once

#include <vector>

#include "compress/method.h"
#include "compress/option.h"
#include "compress/prune/selection.h"

namespace pare::compress {

/// `pattern` and `sparsity`.
std::vector<Option> pattern_options();

/// The rule that `pattern`, `sparsity` and, where the method has them, `scope`, `threshold` and `keep_zeros` give.
/// Error(kUsage) where they contradict each other.
PruneRule prune_rule(const nlohmann::json& options);

/// The weights of the layers that `include` and `exclude` leave, each once. Error(kUnsupported) for one that is not
/// f32.
std::vector<PruneTarget> prune_targets(const ir::Model& model, const nlohmann::json& options);

/// Sets masks on the initializers, and the weights under them to zero.
void annotate_masks(ir::Graph& graph, std::span<const PruneTarget> targets, const std::vector<Tensor>& masks);

/// After training the masks of the targets are what is zero: the trainer kept every masked weight at exactly zero.
void mask_trained(ir::Model& model, const nlohmann::json& options);

/// uint8, 0 where the weight is zero.
Tensor mask_of_zeros(const Tensor& weight);

/// `importance` of the step's record: how many of what was ranked score what, and how many of these stay; 20 equal bins
/// from 0, or the least score where that is below, to the largest.
nlohmann::json importance_histogram(std::span<const double> scores, const std::vector<bool>& kept);
/// The same of the weights of targets with these masks.
nlohmann::json importance_histogram(std::span<const PruneTarget> targets, const std::vector<Tensor>& masks);

/// Sets it in the step's record, for targets as they were ranked and a model that has their zeros.
void record_importance(const ir::Model& model, std::span<const PruneTarget> targets, StepContext& context);

/// `pruned` of the step's record. Error(kInternal) where a weight does not have the pattern.
void record_zeros(const std::vector<PruneTarget>& targets, const PruneRule& rule, StepContext& context);

}  // namespace pare::compress
