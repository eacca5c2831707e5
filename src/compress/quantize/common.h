// What the quantization methods share.
#pragma once

#include "compress/option.h"
#include "compress/quantize/params.h"
#include "ir/model.h"

namespace pare::compress {

/// The group "weights": bits, scheme, granularity.
Option weights_option();

/// What the resolved group "weights" asks for: bits, scheme, granularity and, where declared, group_size.
WeightSpec weight_spec(const nlohmann::json& weights);

/// Error(kUnsupported) unless weights.bits is from 2 to 8.
void require_weight_bits(const nlohmann::json& options);

/// Error(kUnsupported) unless `group`.bits is 8.
void require_8_bits(const nlohmann::json& options, const std::string& group);

/// Error(kUnsupported) naming a node that quantizes already.
void require_not_quantized(const ir::Graph& graph);

}  // namespace pare::compress
