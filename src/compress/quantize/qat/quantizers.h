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
};

struct QatPlan {
  Placement placement;
  std::map<std::string, Quantizer> weights;  ///< by initializer
  std::vector<Quantizer> activations;        ///< by group of the placement
};

/// The groups `weights` and `activations`, and `edge_bits`.
std::vector<Option> quantizer_options();

/// Error(kUsage) where quantizer and bits contradict each other.
void validate_quantizers(const nlohmann::json& options);

/// Histograms of the values that are quantized.
StatisticsRequest quantizer_request(const ir::Model& model, const nlohmann::json& options);

/// Scales of weights and activations start where the squared error is least. The first and last layers, weights and
/// inputs, take `edge_bits` (Zhou et al. 2016; Esser et al. 2020), on a plain learned grid.
QatPlan plan_quantizers(const ir::Model& model, const Statistics& statistics, const nlohmann::json& options);

/// Whether a layer's weights can take more than opset 13.
std::int64_t opset_of_quantizers(const nlohmann::json& options);

}  // namespace pare::compress
