// From a model to a plan for concrete input shapes.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "exec/backend.h"
#include "runtime/cut.h"
#include "runtime/plan.h"
#include "runtime/weight_cache.h"

namespace pare::runtime {

/// Throws Error(kUsage) naming an observed value that the model lacks, Error(kMemory) when the weights alone pass
/// max_memory.
PreparedModel prepare(const ir::Model& model, const exec::CompileOptions& options);

/// The model for these shapes of its inputs. `constants`: inputs, by index, that become constants and are no inputs any
/// more. Throws Error(kBadInput) where the shapes contradict it.
ir::Model specialize(const ir::Model& model, const std::vector<Dims>& shapes,
                     const std::map<std::size_t, Tensor>& constants = {});

/// Throws Error(kMemory) with all numbers when weights and activations pass `limit` (0: the machine's memory).
void refuse_memory(std::size_t weights, std::size_t arena, std::int64_t limit, const std::string& largest = {});

/// Shapes are those of the graph's inputs; `constants`: inputs, by index, that become constants of the plan, which does
/// not read them any more. Throws Error(kMemory) with all numbers, and the largest buffer by name, when weights, arena
/// and the bytes `held` already pass max_memory (0: the machine's memory).
std::unique_ptr<Plan> make_plan(const PreparedModel& prepared, const std::vector<Dims>& shapes,
                                const std::map<std::size_t, Tensor>& constants, const exec::CompileOptions& options,
                                WeightCache& cache, std::size_t held = 0);
/// The same of a model that is specialized already.
std::unique_ptr<Plan> make_plan(ir::Model model, std::size_t true_outputs, const exec::CompileOptions& options,
                                WeightCache& cache, std::size_t held = 0);

}  // namespace pare::runtime
