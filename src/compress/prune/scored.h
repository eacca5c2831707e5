// What the methods share that score every weight and zero those of least score, at once or while training.
#pragma once

#include "compress/method.h"
#include "compress/prune/gradual.h"
#include "compress/prune/zeros.h"

namespace pare::compress {

/// Options of patterns, threshold, scope (with this default: JSON that outlives the options), `further` ones, of
/// schedules
/// (`costly`: gradual.h), statistics after pruning, targets and training (its `schedule` is called `lr_schedule`).
std::vector<Option> scored_options(std::string_view scope, bool costly, const std::vector<Option>& further = {});

/// Needs the trainer: `epochs` above 0.
bool scored_trains(const nlohmann::json& options);

/// Prunes the targets by the criterion and the options' schedule, trains where they have epochs, and records what was
/// done.
void prune_by(const Criterion& criterion, ir::Model& model, StepContext& context);

/// The parts of it. Zeros what `masks` say at once, re-estimates the statistics of `original`, trains. `targets`: as
/// they were ranked.
void prune_at_once(const ir::Model& original, ir::Model& model, const std::vector<PruneTarget>& targets,
                   const std::vector<Tensor>& masks, StepContext& context);
/// Prunes while training.
void prune_gradually(const Criterion& criterion, ir::Model& model, const std::vector<PruneTarget>& targets,
                     StepContext& context);

/// Faults that can be seen before any work.
void validate_scored(const ir::Model& model, const StepContext& context);

}  // namespace pare::compress
