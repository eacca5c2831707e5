// Placement of QuantizeLinear/DequantizeLinear pairs: how a quantized model is written.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ir/model.h"

namespace pare::passes {

struct QuantParams {
  std::vector<float> scale;  ///< one, or one per index of `axis`
  std::vector<std::int32_t> zero_point;
  DType dtype = DType::kInt8;
  int axis = -1;  ///< −1: per tensor
};

/// What to quantize: activations by value name, weights by node (its weight slot), biases to int32 where the node's
/// input and weight are quantized (scale = input scale · weight scale).
struct QdqPlan {
  std::map<std::string, QuantParams> activations;
  std::map<std::string, QuantParams> weights;  ///< keyed by the initializer's name
  std::vector<std::string> nodes;              ///< nodes that compute on quantized inputs
  /// Nodes that read an activation's integers, where others shall go on reading the float value; absent: all do.
  std::map<std::string, std::set<std::string>> readers;
};

/// x → node   becomes   x → QuantizeLinear → DequantizeLinear → node; the weight is stored as int8 → DequantizeLinear,
/// the bias as int32 → DequantizeLinear. Raises the opset to 13 where lower (Error(kUnsupported) names the node whose
/// meaning would change). One pair serves all consumers of a value (or its `readers`); a graph output stays as it was. New names:
/// `<value>_quantized`, `<value>_dequantized`, `<value>_scale`, `<value>_zero_point`.
/// Error(kInternal) when the plan names what the graph does not have.
void insert_qdq(ir::Model& model, const QdqPlan& plan);

/// round_half_even(x / scale) + zero_point, saturated to the params' type, along its axis. ONNX QuantizeLinear.
Tensor quantize_tensor(const Tensor& tensor, const QuantParams& params);

inline constexpr std::int64_t kNewestOpset = 28;  ///< of ai.onnx that Pare knows
/// Raises the default opset to `target` by converting every node, in subgraphs too, whose form or meaning changed on
/// the way (opset/changes.inc). Error(kUnsupported) names the node, its operator and the opset that has no equivalent;
/// the model is then as it was. Nothing when it is high enough.
void raise_opset(ir::Model& model, std::int64_t target);

}  // namespace pare::passes
