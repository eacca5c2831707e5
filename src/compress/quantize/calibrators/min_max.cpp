// min-max: the whole range that was seen.
#include "compress/quantize/calibrator.h"

namespace pare::compress {

const Calibrator& min_max_calibrator() {
  static const Calibrator calibrator = {"min-max", "the whole range that was seen", "range",
                                        [](const ActivationHistogram& seen, const nlohmann::json&) {
                                          return Range{seen.min(), seen.max()};
                                        }};
  return calibrator;
}

}  // namespace pare::compress
