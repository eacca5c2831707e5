// The mean of each channel over all pixels: GlobalAveragePool and ReduceMean over both spatial axes.
#pragma once

#include "runtime/lowerer.h"

namespace pare::runtime {

/// Requires is_spatial_mean of the group's main node.
std::optional<std::string> lower_spatial_mean(Lowerer& lw, const Group& group);

}  // namespace pare::runtime
