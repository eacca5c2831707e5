// Placement of QuantizeLinear/DequantizeLinear pairs: how a quantized model is written.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "ir/model.h"

namespace pare::passes {

struct QuantParams {
  std::vector<float> scale;  ///< one, or one per index of `axis`
  std::vector<std::int32_t> zero_point;
  DType dtype = DType::kInt8;
  int axis = -1;  ///< −1: per tensor
  /// Elements of `axis` that share a scale; scales are then laid out as the tensor with ⌈length/block⌉ in place of the
  /// axis' length. 0: one scale an index.
  std::int64_t block = 0;
  int bits = 0;  ///< 0: all of the type; else −(2^(bits−1)−1) … 2^(bits−1)−1 or, unsigned, 0 … 2^bits−1
};

/// Which scale an element of a tensor of these dims takes.
class ParamMap {
 public:
  ParamMap(const QuantParams& params, const Dims& dims);
  std::size_t operator()(std::size_t element) const {
    if (length_ == 0) return 0;
    const std::size_t outer = element / inner_ / length_, at = element / inner_ % length_;
    return block_ == 0 ? at : (outer * blocks_ + at / block_) * inner_ + element % inner_;
  }
  std::size_t count() const noexcept { return count_; }  ///< of scales
  Dims scale_dims() const { return scale_dims_; }

 private:
  std::size_t length_ = 0, inner_ = 1, block_ = 0, blocks_ = 0, count_ = 1;
  Dims scale_dims_;
};

/// Smallest and largest integer.
std::pair<double, double> integer_limits(const QuantParams& params);

/// What to quantize: activations by value name, weights by node (its weight slot), biases to int32 where the node's
/// input and weight are quantized (scale = input scale · weight scale).
struct QdqPlan {
  std::map<std::string, QuantParams> activations;
  std::map<std::string, QuantParams> weights;  ///< keyed by the initializer's name
  std::map<std::string, Tensor> integers;      ///< of weights that were not rounded to the nearest
  std::vector<std::string> nodes;              ///< nodes that compute on quantized inputs
  /// Nodes that read an activation's integers, where others shall go on reading the float value; absent: all do.
  std::map<std::string, std::set<std::string>> readers;
  bool integer_bias = true;  ///< otherwise biases stay float
};

/// x → node   becomes   x → QuantizeLinear → DequantizeLinear → node, with a Clip in front where an activation has fewer
/// bits than its type (few_bits.h); the weight is stored as integers → DequantizeLinear, the bias as int32 → DequantizeLinear.
/// Weights of 4 bits whose integers and zero points fit into two are stored as int2 or uint2 where the opset is 25 or more and
/// activations stay float.
/// Raises the opset to 13 (21 for 4 bits, 16 bits and blocks) where lower (Error(kUnsupported) names the node whose meaning
/// would change). One pair serves all consumers of a value (or its `readers`); a graph output stays as it was. New names:
/// `<value>_quantized`, `<value>_dequantized`, `<value>_scale`, `<value>_zero_point`.
/// Error(kInternal) when the plan names what the graph does not have.
void insert_qdq(ir::Model& model, const QdqPlan& plan);

/// The opset that type and blocks ask for.
std::int64_t opset_for(const QuantParams& params);

/// round_half_even(x / scale) + zero_point, saturated to the params' limits, along its axis. ONNX QuantizeLinear.
Tensor quantize_tensor(const Tensor& tensor, const QuantParams& params);
/// (q − zero_point) · scale of integers of the params' type. ONNX DequantizeLinear.
Tensor dequantize_tensor(const Tensor& integers, const QuantParams& params);
/// The narrowest type that holds integers from `low` to `high` where the opset is 21: of 4 or of 8 bits, unsigned where
/// `low` is 0.
DType narrowest_type(double low, double high);
/// Integers of the params' type, packed where it takes less than a byte.
Tensor pack_integers(std::span<const std::int32_t> values, const Dims& dims, DType dtype);

inline constexpr std::int64_t kNewestOpset = 28;  ///< of ai.onnx that Pare knows
/// Raises the default opset to `target` by converting every node, in subgraphs too, whose form or meaning changed on
/// the way (opset/changes.inc). Error(kUnsupported) names the node, its operator and the opset that has no equivalent;
/// the model is then as it was. Nothing when it is high enough.
void raise_opset(ir::Model& model, std::int64_t target);

}  // namespace pare::passes
