// Reading QuantizeLinear / DequantizeLinear pairs: which value a tensor is the dequantized form of, and by what
// parameters.
#pragma once

#include <optional>
#include <vector>

#include "ir/graph.h"
#include "kernels/kernel.h"

namespace pare::runtime {

struct QuantView {
  ir::ValueId q = ir::kNoValue;          ///< the quantized value
  DType dtype = DType::kUndefined;       ///< kUint8, kInt8 or kInt32
  std::vector<float> scale;              ///< one, or one per index of `axis`
  std::vector<std::int32_t> zero_point;  ///< as many
  std::int64_t axis = -1;                ///< non-negative where there are several

  bool per_tensor() const noexcept { return scale.size() == 1; }
  bool is_8_bit() const noexcept { return dtype == DType::kUint8 || dtype == DType::kInt8; }
  kernels::QuantParams params() const noexcept { return {dtype, scale[0], zero_point[0]}; }
  bool same_params(const QuantView& other) const noexcept {
    return dtype == other.dtype && scale == other.scale && zero_point == other.zero_point;
  }
};

/// The quantized form of a value that DequantizeLinear produces with constant f32 scales; nullopt otherwise.
std::optional<QuantView> dequantized(const ir::Graph& graph, ir::ValueId value);
/// The same seen from a QuantizeLinear node: what it writes.
std::optional<QuantView> quantized_by(const ir::Graph& graph, ir::NodeId node);
/// An activation that integer kernels take: 8 bits, one scale.
std::optional<QuantView> quantized_activation(const ir::Graph& graph, ir::ValueId value);

}  // namespace pare::runtime
