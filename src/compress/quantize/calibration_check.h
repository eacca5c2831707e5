// How much quantization depends on which samples it was calibrated on.
#pragma once

#include "compress/option.h"
#include "compress/quantize/static_writer.h"
#include "compress/statistics.h"

namespace pare::compress {

/// The option group "calibration_check".
Option calibration_check_option();

/// Error(kUsage) where the calibration samples are too few to draw from.
void validate_calibration_check(const std::vector<StatisticsRequest>& requests, const StepContext& context);

/// Calibrates again on random subsets of the calibration samples (without replacement: the delete-d jackknife of Shao &
/// Wu 1989) and writes the model with each, all else as it was chosen. context.record["calibration_check"] gets, by
/// quantized value, between which bounds the ends of its range lie, the widest first, and the spread of the output's SNR
/// and of the metric on up to 1000 samples of val. A pass over the subset's samples and over val for each.
void check_calibration(const ir::Model& floats, const std::vector<StatisticsRequest>& requests, const StaticWriter& writer,
                       const Choice& choice, const Probe& probe, StepContext& context);

}  // namespace pare::compress
