// Placement of QuantizeLinear/DequantizeLinear pairs: how a quantized model is written.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/model.h"

namespace pare::passes {

struct QuantParams {
  std::vector<float> scale;            ///< one, or one per index of `axis`
  std::vector<std::int32_t> zero_point;
  DType dtype = DType::kInt8;
  int axis = -1;                       ///< −1: per tensor
};

/// What to quantize: activations by value name, weights by node (its weight slot), biases to int32 where the node's
/// input and weight are quantized (scale = input scale · weight scale).
struct QdqPlan {
  std::map<std::string, QuantParams> activations;
  std::map<std::string, QuantParams> weights;   ///< keyed by the initializer's name
  std::vector<std::string> nodes;               ///< nodes that compute on quantized inputs
};

/// x → node   becomes   x → QuantizeLinear → DequantizeLinear → node; the weight is stored as int8 → DequantizeLinear,
/// the bias as int32 → DequantizeLinear. Raises the opset to 13 where lower.
void insert_qdq(ir::Model& model, const QdqPlan& plan);

}  // namespace pare::passes
