// Training samples that an importance looks at, batch by batch.
#pragma once

#include <functional>
#include <string>

#include "compress/method.h"

namespace pare::compress {

/// Visits `samples` of train (0: all) in the order of calibration, `wanted` at a time or as many as the model fixes; the
/// last batch may be smaller unless the model fixes it. Error(kUsage) without a train split.
void visit_samples(const ir::Model& model, std::int64_t samples, std::int64_t wanted, const StepContext& context,
                   const std::string& stage, const std::function<void(const data::Batch&)>& visit);

/// Gradients by parameter of the mean loss of each batch of `wanted` samples, and how many it has. Those of a trainer
/// that is at work, where there is one: by its weights and its loss.
using GradientVisitor = std::function<void(const NamedTensors& gradients, std::int64_t samples)>;
void visit_gradients(const ir::Model& model, std::int64_t samples, std::int64_t wanted, const StepContext& context,
                     const GradientVisitor& visit, exec::Trainer* trainer = nullptr);

/// Error(kUsage) where the training data has no loss to differentiate; `key` names the option that asks for one.
void require_loss(const StepContext& context, const std::string& key, const std::string& importance);

}  // namespace pare::compress
