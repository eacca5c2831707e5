// moving-average: smallest and largest value of a batch, averaged over the batches, so that a single outlier counts
// little (Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference,
// 2018, section 3.1).
#include "compress/quantize/calibrator.h"

namespace pare::compress {

const Calibrator& moving_average_calibrator() {
  static const Calibrator calibrator = {"moving-average", "the range of a batch, averaged over batches", "range",
                                        [](const ActivationHistogram& seen, const nlohmann::json&) {
                                          return Range{seen.average_min(), seen.average_max()};
                                        }};
  return calibrator;
}

}  // namespace pare::compress
