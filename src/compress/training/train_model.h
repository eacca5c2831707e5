// What every training step does around the loop: teacher, masks, trainer, write-back, record.
#pragma once

#include <string>

#include "compress/method.h"
#include "compress/training/loop.h"

namespace pare::compress {

/// Annotates each layer's weight with a mask of its exact zeros (Value::mask), where it has some but is not all zero. A
/// mask that is already there stays.
void mask_zeros(ir::Model& model);

/// Faults of training options that can be seen before any work: no train split, alpha < 1 without labels, an integer
/// model, features that the teacher (null: the original model) does not share.
void validate_training(const ir::Model& model, const StepContext& context, const std::string& subject,
                       const ir::Model* teacher = nullptr);

/// Trains `model` in place with the step's options; the teacher is `teacher`, or the original model when it is null.
/// Masks hold exactly: a masked weight that comes back non-zero is Error(kInternal). Adds "curve", "trainer" and
/// "distill" to the step's record.
void train_model(ir::Model& model, StepContext& context, const LoopHooks& hooks, const std::string& stage,
                 const ir::Model* teacher = nullptr);

}  // namespace pare::compress
