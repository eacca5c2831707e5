// Traces of the training loss' Hessian, by weight: how sharply the loss bends when a layer's weights move.
#pragma once

#include <map>
#include <string>

#include "compress/method.h"

namespace pare::compress {

/// By trainable initializer, Hutchinson's estimate (HAWQ-V2: Dong et al., HAWQ-V2: Hessian Aware trace-Weighted Quantization
/// of Neural Networks, 2020, section 3.2) over `probes` random directions, each on its own batch of 32 training samples:
/// cross-entropy or, for targets, squared error; without either, the distillation loss against the model itself, whose
/// Hessian is the Fisher information. Needs the train plug-in. Error(kUsage) without a train split.
std::map<std::string, double> hessian_traces(const ir::Model& model, int probes, const StepContext& context);

}  // namespace pare::compress
