// Where the elements of a resized tensor come from (Resize and Upsample): per axis, the inputs of every output
// coordinate and their weights. Resizing is separable, so axes are handled one after the other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/op.h"

namespace pare::ir::ops {

/// One axis. Output o is Σ weight[t] · x[index[t]] over t in [first[o], first[o + 1]).
struct AxisTaps {
  std::vector<std::int64_t> first, index;
  std::vector<double> weight;
  std::vector<bool> outside;  ///< tf_crop_and_resize: o lies outside the input and becomes the extrapolation value
  bool identity = true;       ///< output o is input o
};

struct ResizePlan {
  Dims dims;  ///< of the result
  std::vector<AxisTaps> axes;
  bool nearest = false;  ///< one tap an output: any element type
  bool extrapolates = false;
  double extrapolation = 0;
};

void infer_resize(InferContext& ctx);
/// The plan of a node for an input of shape `x`; inputs 1 and on of the context must be there, input 0 need not.
ResizePlan plan_resize(const EvaluateContext& ctx, const Dims& x);
std::vector<Tensor> evaluate_resize(const EvaluateContext& ctx);
/// Batch and channels, and whatever else keeps its size.
std::vector<AxisRelation> axes_resize(const AxesContext& ctx);

}  // namespace pare::ir::ops
