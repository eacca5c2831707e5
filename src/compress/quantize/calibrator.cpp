#include "compress/quantize/calibrator.h"

#include <algorithm>

#include "base/text.h"
#include "pare/error.h"

namespace pare::compress {

#define PARE_CALIBRATOR(file, function) const Calibrator& function();
#include "compress/quantize/calibrators.inc"
#undef PARE_CALIBRATOR

Range calibrated_range(const Calibrator& calibrator, const ActivationHistogram& seen, const nlohmann::json& options) {
  const Range range = calibrator.range(seen, options);
  const double kept = std::max(-range.low, range.high), whole = std::max(-seen.min(), seen.max());
  // A bin on either side of 0 is all that is left of it.
  const double nothing = seen.has_bins() && whole > seen.bin_width() ? seen.bin_width() : 0;
  return kept > nothing ? range : Range{seen.min(), seen.max()};
}

std::span<const Calibrator* const> calibrators() {
  static const Calibrator* const table[] = {
#define PARE_CALIBRATOR(file, function) &function(),
#include "compress/quantize/calibrators.inc"
#undef PARE_CALIBRATOR
  };
  return table;
}

const Calibrator& find_calibrator(std::string_view name) {
  std::vector<std::string> names;
  for (const Calibrator* calibrator : calibrators()) {
    if (calibrator->name == name) return *calibrator;
    names.emplace_back(calibrator->name);
  }
  throw Error(ErrorCode::kUsage, "calibrator", "unknown value" + did_you_mean(name, names), join(names, ", "),
              std::string(name));
}

}  // namespace pare::compress
