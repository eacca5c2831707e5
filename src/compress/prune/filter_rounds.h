// Removing channels in rounds, each followed by its part of the training.
#pragma once

#include "compress/method.h"

namespace pare::compress {

/// Faults of the training that can be seen before any work; Error(kUsage) where a round would have no step of it.
void validate_rounds(const ir::Model& model, const StepContext& context);

/// `rounds` removals (unit_removal.h), each with `epochs`/`rounds` of training behind it and the whole learning-rate
/// schedule. Checkpoints hold each round's model, so that a run that is killed continues in the round that it was in.
/// The record is that of one removal; of several, what they come to together, and `rounds` with each by itself.
void remove_in_rounds(ir::Model& model, StepContext& context);

}  // namespace pare::compress
