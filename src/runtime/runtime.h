// The CPU backend.
#pragma once

#include "exec/backend.h"

namespace pare::runtime {

/// How kernels are chosen where several take a step.
struct Choosing {
  /// By timing (runtime/tuner.h), for what runs a model rather than judges it: results may differ in the last places
  /// from those of choices by estimates, which are the same on every run.
  bool tuned = false;
  /// None whose sums round more than those of a direct product: no Winograd convolutions (kernels/winograd).
  bool exact = false;
};

/// The backend on this CPU. Stateless; safe to share.
const exec::Backend& backend(const Choosing& choosing = {});

}  // namespace pare::runtime
