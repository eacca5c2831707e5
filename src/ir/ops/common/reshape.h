// Operators that give the same elements another shape.
#pragma once

#include <span>
#include <vector>

#include "ir/op.h"
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {

/// Output 0 has the elements of input 0 under `shape`; small integer elements follow when the result has rank ≤ 1.
void set_reshaped(InferContext& ctx, Shape shape);
/// What is left of the elements of `total` after the dimensions `taken`: total / taken, as far as symbols cancel.
Dim remaining(const InferContext& ctx, const Shape& total, std::span<const Dim> taken);

}  // namespace pare::ir::ops
