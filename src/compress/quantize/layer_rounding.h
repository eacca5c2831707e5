// How the weights of a model's layers become integers: each to the nearest, or by GPTQ or AdaRound from what the layers see
// of training samples.
#pragma once

#include <functional>

#include "compress/method.h"
#include "compress/quantize/params.h"
#include "compress/targets.h"
#include "passes/qdq.h"

namespace pare::compress {

/// The keys of the group "weights" that say how: rounding, act_order, iterations, refine, fit_scales, clip, sequential, samples.
/// `automatic`: what rounding "auto" means, for the help.
std::vector<Option> rounding_options(std::string_view automatic);

/// Whether `weights` (resolved) has its layers rounded by samples; `automatic`: what "auto" means here.
bool rounds_by_samples(const nlohmann::json& weights, bool automatic);

/// How they are rounded then, for the record: "gptq", "adaround" or "nearest".
std::string rounding_name(const nlohmann::json& weights, bool automatic);

/// Error(kUsage) when `weights` (resolved) asks for samples and there is no train split to see.
void require_rounding_data(const nlohmann::json& weights, const StepContext& context);

using SpecOf = std::function<WeightSpec(const Layer&)>;

/// Fills plan.weights and plan.integers of these layers of a float model by round_layer(), in graph order. A layer that
/// has no Hessian is left out: it is rounded to the nearest.
void round_layers(const ir::Model& model, const std::vector<Layer>& layers, const SpecOf& spec,
                  const nlohmann::json& weights, const StepContext& context, passes::QdqPlan& plan);

}  // namespace pare::compress
