// What the methods share that look at the inputs of each layer (layerwise/hessian.h).
#pragma once

#include "compress/method.h"
#include "compress/prune/zeros.h"

namespace pare::compress {

/// Error(kUsage) without training samples, Error(kUnsupported) where no layer's inputs can be unfolded.
void require_layer_inputs(const ir::Model& model, const StepContext& context, const std::string& method);

/// The distinct layers (zeros.h) whose inputs can be unfolded; the record notes why the others are left as they were.
std::vector<Layer> layers_with_inputs(const ir::Model& model, StepContext& context);

std::vector<PruneTarget> targets_of(const ir::Graph& graph, const std::vector<Layer>& layers);

}  // namespace pare::compress
