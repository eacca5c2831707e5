// What the quantization methods share.
#pragma once

#include <optional>
#include <string>

#include "compress/option.h"
#include "compress/quantize/params.h"
#include "ir/model.h"

namespace pare::compress {

/// The group "weights": bits, scheme, granularity, scales.
Option weights_option();
/// "quantizer", of weights: even steps, binary or ternary.
Option sign_quantizer_option();
/// "scales", of weights and of activations: free or power-of-two.
Option scales_option();

/// What the resolved group "weights" asks for: bits, scheme, granularity and, where declared, group_size, scales and
/// quantizer.
WeightSpec weight_spec(const nlohmann::json& weights);

/// What the resolved group "activations" asks for: bits and scales, where declared.
ActivationSpec activation_spec(const nlohmann::json& activations);

/// An option that is a migration strength: "auto", "off" or α from 0 to 1.
struct Strength {
  bool automatic = false;
  std::optional<double> alpha;
  bool on() const noexcept { return automatic || alpha; }
};
/// Error(kUsage) naming quantize.`key`.
Strength strength_option(const nlohmann::json& options, const std::string& key);

/// Error(kUnsupported) unless weights.bits is from 1 to 8, Error(kUsage) where the quantizer, given one, does not go with it or
/// with what else is asked of weights.
void require_weight_bits(const nlohmann::json& options);

/// Error(kUnsupported) unless `group`.bits is 8.
void require_8_bits(const nlohmann::json& options, const std::string& group);

/// Error(kUnsupported) naming the node that has no form at `opset`, what asks for that opset ("int4 weights"), and what
/// to do: `instead` ("weights of 3 or 5 bits (opset 13)", "": nothing else goes), or another export of the model.
void require_opset(const ir::Model& model, std::int64_t opset, const std::string& asked_by,
                   const std::string& instead = {});

/// Error(kUnsupported) naming a node that quantizes already.
void require_not_quantized(const ir::Graph& graph);

}  // namespace pare::compress
