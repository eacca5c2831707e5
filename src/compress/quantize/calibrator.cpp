#include "compress/quantize/calibrator.h"

#include "base/text.h"
#include "pare/error.h"

namespace pare::compress {

#define PARE_CALIBRATOR(file, function) const Calibrator& function();
#include "compress/quantize/calibrators.inc"
#undef PARE_CALIBRATOR

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
