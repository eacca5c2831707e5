// From internal results to public ones, and what commands over a split share.
#pragma once

#include "data/dataset.h"
#include "eval/metrics.h"
#include "ir/model.h"
#include "pare/dataset.h"
#include "pare/evaluate.h"

namespace pare::api {

Quality quality_of(const eval::Metrics& metrics);
/// Error(kUsage) when the data set has no such split.
std::shared_ptr<const data::Split> require_split(const Dataset& data, const std::string& name);
/// The batch that the model itself fixes, or the one asked for.
std::int64_t batch_for(const ir::Model& model, std::int64_t asked);

}  // namespace pare::api
