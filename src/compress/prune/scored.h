// What the methods share that score every weight and zero those of least score at once.
#pragma once

#include "compress/method.h"
#include "compress/prune/zeros.h"

namespace pare::compress {

/// Options of patterns, scope (with this default: JSON that outlives the options), keep_zeros, targets, and `further` ones.
std::vector<Option> scored_options(std::string_view scope, const std::vector<Option>& further = {});

/// Zeros what the options' rule says of targets with scores, sets masks, and records what was done.
void prune_by_scores(ir::Model& model, const std::vector<PruneTarget>& targets, StepContext& context);

/// Σ over batches of `wanted` samples of what `measure` makes of a weight and its gradient, as the targets' scores.
void score_by_gradients(std::vector<PruneTarget>& targets, const ir::Model& model, std::int64_t wanted,
                        const StepContext& context, double (*measure)(double weight, double gradient));

/// Faults that can be seen before any work.
void validate_scored(const ir::Model& model, const StepContext& context);

/// Names of the layers, for Method::targets.
std::vector<std::string> scored_layers(const ir::Model& model, const nlohmann::json& options);

}  // namespace pare::compress
