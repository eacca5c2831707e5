// What the methods share that look at the inputs of each layer (layerwise/hessian.h).
#pragma once

#include "compress/method.h"
#include "compress/prune/selection.h"
#include "compress/targets.h"

namespace pare::compress {

/// The first layer of each target: shared weights are pruned by what the first sees.
std::vector<Layer> distinct_layers(const ir::Model& model, const nlohmann::json& options);

/// Error(kUsage) without training samples, Error(kUnsupported) where no layer's inputs can be unfolded.
void require_layer_inputs(const ir::Model& model, const StepContext& context, const std::string& method);

/// The distinct layers whose inputs can be unfolded; the record notes why the others are left as they were.
std::vector<Layer> layers_with_inputs(const ir::Model& model, StepContext& context);

std::vector<PruneTarget> targets_of(const ir::Graph& graph, const std::vector<Layer>& layers);

}  // namespace pare::compress
