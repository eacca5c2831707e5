#include "compress/prune/layer_inputs.h"

#include <algorithm>

#include "compress/layerwise/hessian.h"
#include "pare/error.h"

namespace pare::compress {

void require_layer_inputs(const ir::Model& model, const StepContext& context, const std::string& method) {
  if (!context.dataset.train || context.dataset.train->size() == 0)
    throw Error(ErrorCode::kUsage, "prune",
                "method " + method + " needs a train split in the data file");
  const std::vector<Layer> layers = distinct_layers(model, context.options);
  if (std::none_of(layers.begin(), layers.end(),
                   [&](const Layer& layer) { return why_no_hessian(model.graph, layer).empty(); }))
    throw Error(
        ErrorCode::kUnsupported, "prune",
        "no layer's inputs can be unfolded; '" + layers[0].name + "': " + why_no_hessian(model.graph, layers[0]));
}

std::vector<Layer> layers_with_inputs(const ir::Model& model, StepContext& context) {
  std::vector<Layer> layers;
  for (const Layer& layer : distinct_layers(model, context.options)) {
    const std::string why = why_no_hessian(model.graph, layer);
    if (why.empty())
      layers.push_back(layer);
    else
      context.record["notes"].push_back("'" + layer.name + "' is left as it was: " + why);
  }
  return layers;
}

std::vector<PruneTarget> targets_of(const ir::Graph& graph, const std::vector<Layer>& layers) {
  std::vector<PruneTarget> targets;
  for (const Layer& layer : layers)
    targets.push_back({layer.weight_name, *graph.constant(layer.weight.value), layer.weight.view});
  return targets;
}

}  // namespace pare::compress
