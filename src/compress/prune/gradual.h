// Pruning while training: along a curve of sparsity, or in rounds of pruning and training with or without rewinding.
#pragma once

#include <optional>
#include <vector>

#include "compress/method.h"
#include "compress/prune/selection.h"
#include "compress/training/loop.h"

namespace pare::compress {

/// What a criterion judges weights by.
struct ScoringState {
  const ir::Model& model;  ///< before the step
  exec::Trainer* trainer;  ///< at work on it, and with the weights as they are now; null before training
  const StepContext& context;
};

/// How a method scores single weights.
struct Criterion {
  /// Sets the targets' scores, whose weights are those of now; null: magnitudes.
  void (*score)(std::vector<PruneTarget>& targets, const ScoringState& state) = nullptr;
  /// Updates of the masks along a curve, unless `frequency` says otherwise: few where each looks at data.
  std::int64_t updates = 200;
};

/// Scores the targets; what is zero and stays so scores nothing.
void score_targets(const Criterion& criterion, std::vector<PruneTarget>& targets, const PruneRule& rule,
                   const ScoringState& state);

/// `schedule`, `prune_until`, `frequency`, `rounds` and `rewind`. `costly`: scoring looks at data (kCostlyUpdates).
std::vector<Option> gradual_options(bool costly = false);
inline constexpr std::int64_t kCostlyUpdates = 20;

/// The schedule in effect: "one-shot" unless training goes along ("auto": cubic when there are epochs).
std::string schedule_of(const nlohmann::json& options);

/// Error(kUsage) where the options of schedules contradict each other.
void validate_schedule(const nlohmann::json& options, const PruneRule& rule);

/// How much of the curve is done before this step, where the options let the masks change there; nullopt elsewhere.
/// `updates`: how many in all, about, where the options do not say it.
std::optional<double> curve_progress(const nlohmann::json& options, std::int64_t step, std::int64_t total,
                                     std::int64_t updates = 200);

/// Hooks that score and rank the current weights again and set the trainer's masks:
/// - cubic, linear, exponential: every `frequency` steps until `prune_until` of them are done;
/// - iterative: `rounds` equal parts, each begun by pruning the same share of what is left (Han et al., Learning both
///   Weights and Connections for Efficient Neural Networks, 2015) and each with the whole learning-rate schedule; the
///   weights that stay are set back to those of the step's begin (a part of dense training goes before the first
///   round) or of another model (Frankle & Carbin, The Lottery Ticket Hypothesis, 2019; rewinding to an early point:
///   Frankle et al., Linear Mode Connectivity and the Lottery Ticket Hypothesis, 2020). The optimizer starts anew with
///   each rewinding.
/// `targets` and `model`, which is pruned, must outlive the hooks.
LoopHooks gradual_hooks(const Criterion& criterion, std::vector<PruneTarget>& targets, const PruneRule& rule,
                        const ir::Model& model, const StepContext& context);

/// The path that `rewind` names, for checkpoints to be checked against.
std::vector<std::string> rewind_files(const nlohmann::json& options);

}  // namespace pare::compress
