// Faults of a run that can be seen before any work.
#pragma once

#include "compress/pipeline.h"

namespace pare::compress {

/// Checks the model's weights (finite), the order of the steps, each method's own conditions, the gate's split, and,
/// with `ask_executors`, that the backend and (where a step trains) the trainer take the model. Throws Error as they
/// do, naming the step. `model` is simplified.
void validate_recipe(const PipelineInputs& inputs, const ir::Model& model, bool ask_executors);

/// Whether the step takes weights that share values and lets them go on to do so (its option keep_clusters).
bool keeps_clusters(const Step& step);

/// In front of such a step: codebooks become the weights that they stand for.
void expand_for(const Step& step, ir::Model& model);

}  // namespace pare::compress
