// Which samples calibration looks at, and statistics of others in their place.
#pragma once

#include "compress/statistics.h"

namespace pare::compress {

/// Samples of train that gather_statistics() looks at for these requests. Error(kUsage) without a train split.
std::vector<std::int64_t> samples_of(const std::vector<StatisticsRequest>& requests, const StepContext& context);

/// gather_statistics() over these samples of train.
Statistics gather_statistics(const ir::Model& model, const std::vector<StatisticsRequest>& requests,
                             const StepContext& context, const std::vector<std::int64_t>& indices);

}  // namespace pare::compress
