// What mixed precision weighs: how much a layer at some bits disturbs the model, and how long it takes.
#pragma once

#include "compress/quantize/mixed.h"

namespace pare::compress {

/// Stands for a layer that stays float, where bits are asked for.
inline constexpr int kFloatBits = 32;

/// Σ(a−b)²/Σa² of the output when only this layer's weights are rounded; activations are float.
double rounding_noise(const ir::Model& model, const Layer& layer, int bits, const nlohmann::json& weights,
                      const Probe& probe);

/// The same when this layer alone computes on integers, its input rounded too. Changes the writer's bits.
double integer_noise(StaticWriter& writer, const Layer& layer, int bits, const Probe& probe);

/// Ω = max(trace, 0)/n · ‖Q(W) − W‖².
double curvature_loss(const ir::Model& model, const Layer& layer, int bits, const nlohmann::json& weights, double trace);

/// Median milliseconds of the step that computes each layer, by node, at batch 1 on random inputs: the model in float and,
/// by bits, with all of the layers at these.
std::map<int, std::map<std::string, double>> layer_times(const ir::Model& model, StaticWriter& writer,
                                                         const std::vector<int>& bits, const StepContext& context);

}  // namespace pare::compress
