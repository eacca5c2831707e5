// Slice's bounds as a strided view.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/op.h"

namespace pare::ir::ops {

struct Cut {
  std::int64_t start, step, length;
};

/// ONNX's clamping on an axis of `size`: negative bounds count from the end, then both are moved into the axis.
Cut cut(std::int64_t size, std::int64_t start, std::int64_t end, std::int64_t step);

struct SliceBounds {
  std::vector<std::int64_t> starts, ends, axes, steps;
};
/// Fills in default axes and steps and makes axes non-negative. Throws Error(kBadInput) on lists of unlike lengths and
/// on a step of 0.
void complete_bounds(const InferContext& ctx, SliceBounds& bounds, std::int64_t rank);

/// Element (i…) of the result is element offset + Σ i·stride of the input.
struct SliceView {
  Dims dims;
  std::int64_t offset = 0;
  Dims strides;
};
/// Of an input of shape `x`; the context's inputs from 1 on must be there, input 0 need not.
SliceView slice_view(const EvaluateContext& ctx, const Dims& x);

}  // namespace pare::ir::ops
