// What the methods share that learn while training which weights go.
#pragma once

#include <string_view>
#include <vector>

#include "compress/method.h"
#include "compress/prune/mask_student.h"
#include "compress/prune/zeros.h"
#include "compress/training/loop.h"

namespace pare::compress {

/// `further`, those of targets and those of training (its `schedule` is called `lr_schedule`).
std::vector<Option> learned_options(const std::vector<Option>& further);

/// Error(kUsage) without epochs, and what validate_training and prune_targets refuse.
void validate_learned(const ir::Model& model, const StepContext& context);

/// Trains the student; `model` becomes what it makes of the targets, whose zeros are masked. With `keep_zeros` weights
/// that are zero stay so: call mask_learned_zeros before the student hides them.
void train_learned(ir::Model& model, MaskStudent& student, const LoopHooks& hooks, StepContext& context);
void mask_learned_zeros(ir::Model& model, const nlohmann::json& options);

}  // namespace pare::compress
