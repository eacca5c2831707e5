// How the weights of a model's layers become integers: each to the nearest, or by GPTQ or AdaRound from what the layers see
// of training samples.
#pragma once

#include <functional>
#include <map>

#include "compress/method.h"
#include "compress/quantize/params.h"
#include "compress/targets.h"
#include "passes/qdq.h"

namespace pare::compress {

/// The keys of the group "weights" that say how: rounding, act_order, iterations, refine, fit_scales, clip, sequential, samples.
/// `automatic`: what rounding "auto" means, for the help; `sequential`: the default of that key.
std::vector<Option> rounding_options(std::string_view automatic, bool sequential);

/// Whether `weights` (resolved) needs the training plug-in.
bool rounding_needs_gradients(const nlohmann::json& weights);

/// Whether `weights` (resolved) has its layers rounded by samples; `automatic`: what "auto" means here.
bool rounds_by_samples(const nlohmann::json& weights, bool automatic);

/// How they are rounded then, for the record: "gptq", "adaround", "brecq" or "nearest".
std::string rounding_name(const nlohmann::json& weights, bool automatic);

/// Error(kUsage) when `weights` (resolved) asks for samples and there is no train split to see.
void require_rounding_data(const nlohmann::json& weights, const StepContext& context);

/// Records under "rounded_to_nearest", and warns, that a layer is not rounded as asked for, and why; once a layer.
void tell_nearest(const StepContext& context, const Layer& layer, const std::string& reason);

using SpecOf = std::function<WeightSpec(const Layer&)>;

/// What is to be added to the biases of layers, by node: what rounding takes from the mean of each output.
using BiasShifts = std::map<std::string, std::vector<double>>;

/// Fills plan.weights and plan.integers of these layers of a float model by round_layer(), in graph order. A layer that
/// has no Hessian, or whose input is 0 in all samples, is left out and told of: it is rounded to the nearest. With
/// `correct_bias`, layers with a bias are rounded for the error that is left when the bias takes its mean, and what it
/// then has to take is returned (Nagel et al. 2019, section 4.2, here exact for borders too); else nothing is. "brecq"
/// then goes on block by block (brecq.h) and corrects no bias.
BiasShifts round_layers(const ir::Model& model, const std::vector<Layer>& layers, const SpecOf& spec,
                        const nlohmann::json& weights, bool correct_bias, const StepContext& context,
                        passes::QdqPlan& plan);

}  // namespace pare::compress
