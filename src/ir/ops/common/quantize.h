// What QuantizeLinear and DequantizeLinear share: how scales cover the input.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/op.h"

namespace pare::ir::ops {

/// Checks scale (and zero point) against x: a scalar, one per entry of `axis`, or one per block of it (opset 21).
void check_scale(InferContext& ctx, std::size_t scale, std::size_t zero_point);

/// Index of the scale of element i.
class ScaleMap {
 public:
  ScaleMap(const EvaluateContext& ctx, const Dims& x, const Dims& scale);
  std::int64_t operator()(std::int64_t i) const;

 private:
  std::int64_t inner_ = 1, length_ = 1, block_ = 1, blocks_ = 1;
  bool blocked_ = false;
};

/// x and y share all axes; the scale's follow them.
std::vector<AxisRelation> axes_quantize(const AxesContext& ctx);

/// Smallest and largest value of an integer type.
struct IntRange {
  double low, high;
};
IntRange range_of(DType type);

}  // namespace pare::ir::ops
