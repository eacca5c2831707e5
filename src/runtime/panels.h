// Values between products with sparse weights stay in panels, as these multiply them and as their sums lie
// (kernels/sppanel/tile.h): nothing is transposed then, and a 1×1 convolution copies nothing either.
//
// Condition: all that write and read the value are steps that take it so (Step::by_panels), and what a step adds lies
// in panels where its output does. The numbers are the same.
#pragma once

#include "runtime/plan.h"

namespace pare::runtime {

/// Chooses such values and changes their steps, before the plan's memory is laid out.
void lay_in_panels(Plan& plan);

}  // namespace pare::runtime
