// DynamicQuantizeLinear: x to uint8 by its own range widened to hold 0; outputs y, scale, zero point.
#include <algorithm>
#include <cmath>

#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  set_output(ctx, 0, DType::kUint8, ctx.in(0).shape);
  set_output(ctx, 1, DType::kFloat32, Shape(std::vector<Dim>{}));
  set_output(ctx, 2, DType::kUint8, Shape(std::vector<Dim>{}));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (x.dtype() != DType::kFloat32) ctx.fail("input has the wrong type", "float32", std::string(name(x.dtype())));
  float low = 0, high = 0;
  for (float value : x.data<float>()) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  const float scale = high > low ? (high - low) / 255.0F : 1.0F;
  const float zero = std::nearbyint(std::clamp(-low / scale, 0.0F, 255.0F));
  Tensor y(DType::kUint8, x.dims());
  const auto out = y.mutable_data<std::uint8_t>();
  const auto in = x.data<float>();
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::uint8_t>(std::clamp(std::nearbyint(in[i] / scale) + zero, 0.0F, 255.0F));
  return {y, Tensor::scalar(scale), Tensor::scalar(static_cast<std::uint8_t>(zero))};
}

}  // namespace

extern const Operator kDynamicQuantizeLinear = {
    .op_type = "DynamicQuantizeLinear",
    .since = 11,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 3,
    .max_outputs = 3,
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
