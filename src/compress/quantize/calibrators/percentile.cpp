// percentile: leaves out the same share of the most extreme values at either end (Wu et al., Integer Quantization for
// Deep Learning Inference, 2020).
#include "compress/quantize/calibrator.h"

namespace pare::compress {
namespace {

Range range(const ActivationHistogram& seen, const nlohmann::json& options) {
  const double kept = options.at("percentile").get<double>() / 100;
  return {seen.quantile(1 - kept), seen.quantile(kept)};
}

}  // namespace

const Calibrator& percentile_calibrator() {
  static const Calibrator calibrator = {"percentile", "clips the most extreme values", "histogram", range};
  return calibrator;
}

}  // namespace pare::compress
