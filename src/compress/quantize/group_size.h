// Groups of input channels that share a scale.
#pragma once

#include "compress/targets.h"

namespace pare::compress {

/// Error(kUnsupported) naming the layer unless `group`, of the option of this name among the weights', divides its input
/// channels.
void require_group_divides(const Layer& layer, std::int64_t group, const std::string& option = "group_size");

}  // namespace pare::compress
