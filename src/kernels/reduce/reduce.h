// Reductions of f32 over the middle axis of [outer, axis, inner]; the caller transposes when axes are apart.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

enum class ReduceOp { kSum, kMean, kMax, kMin, kProd, kSumSquare, kL1, kL2, kLogSumExp };

/// out [outer, inner]. Accumulates in f64. An empty axis gives the identity
/// (0, 1, ±inf; NaN for kMean). NaN propagates.
void reduce(ReduceOp op, std::int64_t outer, std::int64_t axis, std::int64_t inner, const float* in,
            float* out) noexcept;

/// First (or last) index of the largest (or smallest) element along the axis.
void arg_reduce(bool largest, bool select_last, std::int64_t outer, std::int64_t axis, std::int64_t inner,
                const float* in, std::int64_t* out) noexcept;

}  // namespace pare::kernels
