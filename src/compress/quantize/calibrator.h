// Calibrators: from what was seen of a value to the range that its integers cover. One file and one row each.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "compress/statistics.h"

namespace pare::compress {

struct Range {
  double low = 0, high = 0;
};

struct Calibrator {
  std::string_view name;
  std::string_view summary;
  std::string_view statistics;  ///< kind of StatisticsRequest that it reads
  /// `options`: the resolved group "activations".
  Range (*range)(const ActivationHistogram&, const nlohmann::json& options);
};

/// The calibrator's range; all that was seen where it would be left with nothing but 0, as a percentile of values that
/// are nearly always 0.
Range calibrated_range(const Calibrator& calibrator, const ActivationHistogram& seen, const nlohmann::json& options);

/// All rows of calibrators.inc.
std::span<const Calibrator* const> calibrators();
/// Error(kUsage) with a suggestion when unknown.
const Calibrator& find_calibrator(std::string_view name);

}  // namespace pare::compress
