// Layer-wise distillation of activation scales, without labels: each range, and with it scale and zero point, becomes the one
// by which the layers that read the value answer most like in float.
#pragma once

#include <map>
#include <string>

#include "compress/quantize/static_writer.h"

namespace pare::compress {

/// For every group of values that layers with integers read, the range [l, h] of least Σ ‖Ŵ·Q(x) − W·x‖² over those layers,
/// with weights as `choice` and the writer round them, on rows of some calibration samples: the part of LSQ's objective
/// (Esser et al. 2020) that needs no labels, searched on a grid as MSE-based range setting is (Nagel et al., A White Paper
/// on Neural Network Quantization, 2021, section 3.1) with the error where it counts, behind the product. Both ends shrink
/// together in fiftieths of what was seen, down to 0.3 of it, then one after the other where there are two and the grid has a
/// zero point. By value name; without values whose range stays what the calibrator says, and those of 16 bits.
std::map<std::string, Range> fit_activations(const ir::Model& model, const StaticWriter& writer, const Choice& choice,
                                             const Statistics& statistics, const StepContext& context);

}  // namespace pare::compress
