// ReLU6 between layers that could trade scale: its bound does not scale along, so it becomes ReLU where the output
// bears that.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compress/quantize/probe.h"

namespace pare::compress {

struct OpenedRelu6 {
  std::vector<std::string> opened;     ///< nodes that became Relu
  std::map<std::string, double> kept;  ///< others between layers, with the output's dB when that one alone is opened
  double snr_db = 200;                 ///< of the float model's output with all that were opened, as measured
};

/// Clip(0, u) → Relu between `layers` that could be equalized but for it (Nagel et al. 2019, section 5.1, replace
/// every ReLU6 so). Unlike there, what this does to the output is measured: those of least noise are opened, as
/// many as keep the float model within 40 dB of itself. One compilation and one pass over the probe for each Clip
/// between layers.
OpenedRelu6 open_relu6(ir::Model& model, const std::vector<Layer>& layers, const Probe& probe,
                       const StepContext& context);

}  // namespace pare::compress
