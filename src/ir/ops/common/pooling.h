// Windows over [N, C, spatial…] (MaxPool, AveragePool) and whole planes (GlobalMaxPool, GlobalAveragePool).
#pragma once

#include <functional>
#include <vector>

#include "ir/op.h"
#include "ir/ops/common/window.h"

namespace pare::ir::ops {

/// Output 0 (and 1, as int64, for MaxPool's indices).
void infer_pooling(InferContext& ctx);
void infer_global_pooling(InferContext& ctx);

/// What one window sees: linear indices into its plane of the elements inside the input, and the number of kernel
/// positions inside the input or its declared padding.
struct WindowView {
  std::vector<std::int64_t> inside;
  std::int64_t padded = 0;
};
/// Calls visit(plane, output index within the plane, view) for every output; `axes` resolved for the input.
void for_each_window(std::int64_t planes, const std::vector<WindowAxis>& axes,
                     const std::function<void(std::int64_t, std::int64_t, const WindowView&)>& visit);

/// One number a plane: mean or largest element, in the input's type.
std::vector<Tensor> reduce_planes(const EvaluateContext& ctx, double (*reduce)(std::span<const double>));

}  // namespace pare::ir::ops
