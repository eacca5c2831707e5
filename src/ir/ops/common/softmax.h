// What Softmax and LogSoftmax share. Opset < 13: the input is seen as a matrix split before `axis` (default 1) and rows
// are normalized; from 13 along one axis (default −1).
#pragma once

#include <span>
#include <vector>

#include "ir/op.h"

namespace pare::ir::ops {

void infer_softmax(InferContext& ctx);
/// normalize() rewrites one line in place.
std::vector<Tensor> evaluate_softmax(const EvaluateContext& ctx, void (*normalize)(std::span<double> line));
std::vector<AxisRelation> axes_softmax(const AxesContext& ctx);

}  // namespace pare::ir::ops
