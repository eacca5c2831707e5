// What static quantization decides by the output's noise: smoothing, calibrator, bias correction, layers left in float.
#pragma once

#include <optional>

#include "compress/quantize/static_writer.h"
#include "compress/statistics.h"

namespace pare::compress {

inline constexpr std::string_view kAutomatic = "auto";

/// Of the layers that are quantized: ranges, with bins where the calibrator or its choice needs them.
StatisticsRequest activation_request(const ir::Model& model, const nlohmann::json& options);

/// Whether layers may get 16-bit inputs unasked: the target has such integers, and the model a form at opset 21.
bool may_widen(const ir::Model& model, const nlohmann::json& options);

/// A probe that judges by the float model's output; one is made only where the options leave something open.
bool leaves_choice(const ir::Model& model, const nlohmann::json& options);

/// Rewrites the model by cross-layer equalization when the options ask for it; statistics are gathered anew. `probe`:
/// null or unusable: ReLU6 stays.
void equalize_layers(ir::Model& model, Statistics& statistics, const Probe* probe, StepContext& context,
                     nlohmann::json& found);

/// Rewrites the model by SmoothQuant and gathers its statistics anew, as the option says; with `auto` the best α of a
/// few, and only when the quantized model then answers with less noise. `found` tells the user.
void choose_smoothing(ir::Model& model, Statistics& statistics, const Probe* probe, StepContext& context,
                      nlohmann::json& found);

/// Tries what the options leave open and keeps what disturbs the output least. `probe`: null when nothing is left open.
Choice choose(const ir::Model& model, StaticWriter& writer, const Statistics& statistics, const Probe* probe,
              StepContext& context, nlohmann::json& found);

}  // namespace pare::compress
