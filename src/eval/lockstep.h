// Two compiled models run side by side, so that what both compute can be compared without keeping either's activations.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "exec/backend.h"

namespace pare::eval {

/// One of the two runs: the layer that each observed value stands for. A value that is an input of the model is taken
/// from `inputs`; all others must be in the executor's CompileOptions::observed.
struct LockstepSide {
  exec::Executor& executor;
  const NamedTensors& inputs;
  const std::map<std::string, std::size_t>& layers;
};

/// Sees both versions of a layer; the tensors are only valid during the call.
using PairObserver = std::function<void(std::size_t layer, const Tensor& a, const Tensor& b)>;

/// Runs both, handing over whenever one is ahead: only one computes at a time, and a value is kept only until the other
/// run reaches its layer (one value in all where both compute their layers in the same order). Returns both outputs.
/// What either run or the observer throws reaches the caller.
std::pair<NamedTensors, NamedTensors> run_in_lockstep(const LockstepSide& a, const LockstepSide& b,
                                                      const PairObserver& observer);

}  // namespace pare::eval
