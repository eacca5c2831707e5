// The CPU backend.
#pragma once

#include "exec/backend.h"

namespace pare::runtime {

/// The backend on this CPU. Stateless; safe to share. Choices of kernels follow from estimates: the same on every run.
const exec::Backend& backend();

/// The same with choices by timing where several kernels take a step (runtime/tuner.h), for what runs a model rather than
/// judges it: results may differ in the last place from those of backend().
const exec::Backend& tuned_backend();

}  // namespace pare::runtime
