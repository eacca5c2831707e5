// Layers whose input is one number in all calibration samples: there is no range to quantize.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compress/statistics.h"
#include "compress/targets.h"

namespace pare::compress {

/// Of `layers`, those that had better stay float, by name, with the reason: their input is one number everywhere
/// because it is made of constants and shapes alone, or of integer inputs (masks, kinds) that are one number in all
/// samples themselves. Error(kBadInput) naming layer and tensor for a layer whose input is one number though the data
/// should move it: ReLUs that never open, or data that was read wrongly. Channels that are constant are nothing to
/// complain of. `statistics` has the layers' inputs; the samples that `requests` name are looked at only where an input
/// is constant.
std::map<std::string, std::string> constant_inputs(const ir::Model& model, const std::vector<Layer>& layers,
                                                   const Statistics& statistics,
                                                   const std::vector<StatisticsRequest>& requests,
                                                   const StepContext& context);

}  // namespace pare::compress
