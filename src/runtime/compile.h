// From a model to a plan for concrete input shapes.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "exec/backend.h"
#include "runtime/plan.h"
#include "runtime/weight_cache.h"

namespace pare::runtime {

/// A model made ready for planning: simplified, the observed values listed after the true outputs.
struct PreparedModel {
  ir::Model model;
  std::size_t true_outputs = 0;
};

/// Throws Error(kUsage) naming an observed value that the model lacks, Error(kMemory) when the weights alone pass
/// max_memory.
PreparedModel prepare(const ir::Model& model, const exec::CompileOptions& options);

/// Throws Error(kMemory) with both numbers when weights and arena pass max_memory; Error(kUnsupported) naming a value
/// whose shape depends on data.
std::unique_ptr<Plan> make_plan(const PreparedModel& prepared, const std::map<std::string, Dims>& input_shapes,
                                const exec::CompileOptions& options, WeightCache& cache);

}  // namespace pare::runtime
