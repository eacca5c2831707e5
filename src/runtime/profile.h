// Times of the steps of a plan.
#pragma once

#include "runtime/stage.h"

namespace pare::runtime {

/// Medians over `repeats` runs, as exec::Executor::profile. Of a plan of slices a step's time is the sum over the
/// slices, shared among the threads that ran them: all steps together take about what the run does.
std::vector<exec::StepTime> profile(Stage& stage, const std::vector<Tensor>& inputs, int repeats);

}  // namespace pare::runtime
