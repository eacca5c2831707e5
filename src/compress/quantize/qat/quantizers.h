// What quantization-aware training rounds, how, and from which scales it starts.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compress/quantize/placement.h"
#include "compress/statistics.h"
#include "ir/fake_quantize.h"

namespace pare::compress {

/// A grid and where its parameters start.
struct Quantizer {
  ir::FakeQuantizer how;
  int bits = 8;
  std::vector<float> scale;     ///< one, or one an index of the axis; empty where the scheme derives it
  std::optional<float> offset;  ///< learned (LSQ+)
  std::int64_t group = 0;       ///< of a matrix: input channels that share a step (grouping.h); 0: all
  bool power_of_two = false;    ///< of a weight: the scale is a power of two, and stays
  bool is_signed = false;       ///< of an activation: int8 with zero point 0
};

struct QatPlan {
  Placement placement;
  std::map<std::string, Quantizer> weights;  ///< by initializer
  std::vector<Quantizer> activations;        ///< by group of the placement
  bool integer_bias = true;                  ///< as the target has them
  bool bytes = false;                        ///< few bits too are stored in bytes
};

/// The groups `weights` and `activations`, `edge_bits`, `target` and `format`.
std::vector<Option> quantizer_options();

/// Error(kUsage) where options contradict each other, Error(kUnsupported) naming a layer whose inputs groups do not divide, or
/// what the target or the format cannot express.
void validate_quantizers(const ir::Model& model, const nlohmann::json& options);

/// Whether only weights are rounded, and activations stay float.
bool rounds_weights_only(const nlohmann::json& options);
/// What is rounded: as static quantization places it, or the layers alone.
Placement quantizer_placement(const ir::Model& model, const nlohmann::json& options);

/// Histograms of the values that are quantized, if any.
StatisticsRequest quantizer_request(const ir::Model& model, const nlohmann::json& options);

/// Scales of weights and activations start where the squared error is least. The first and last layers, weights and
/// inputs, take `edge_bits` (Zhou et al. 2016; Esser et al. 2020), on a plain learned grid.
QatPlan plan_quantizers(const ir::Model& model, const Statistics& statistics, const nlohmann::json& options);

/// Whether a layer's weights can take more than opset 13.
std::int64_t opset_of_quantizers(const nlohmann::json& options);

}  // namespace pare::compress
