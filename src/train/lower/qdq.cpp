// QuantizeLinear and DequantizeLinear as fake quantization: values on the integer grid, held in f32. Rounding passes
// gradients straight through (Bengio et al. 2013), saturation stops them.
#include <cmath>
#include <utility>

#include "train/lowering.h"
#include "train/tensors.h"

namespace pare::train {
namespace {

struct RoundStraightThrough : torch::autograd::Function<RoundStraightThrough> {
  static at::Tensor forward(torch::autograd::AutogradContext*, const at::Tensor& x) { return at::round(x); }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 torch::autograd::variable_list gradients) {
    return {gradients[0]};
  }
};

/// The type of the quantized side: the zero point's, or output_dtype, or uint8.
DType quantized_type(const LowerContext& context) {
  if (context.has(2)) {
    const ir::Value& value = context.graph.value(context.node.input(2));
    return value.constant ? value.constant->dtype() : value.dtype;
  }
  return static_cast<DType>(context.node.int_or("output_dtype", static_cast<std::int64_t>(DType::kUint8)));
}

std::pair<double, double> range_of(const LowerContext& context, DType dtype) {
  const int width = bits(dtype);
  if (!is_integer(dtype) || width == 0 || width > 16) {
    context.refuse("quantization to " + std::string(name(dtype)) + " cannot be trained");
  }
  const bool is_signed =
      dtype == DType::kInt8 || dtype == DType::kInt16 || dtype == DType::kInt4 || dtype == DType::kInt2;
  const double span = std::ldexp(1.0, width);
  return is_signed ? std::pair(-span / 2, span / 2 - 1) : std::pair(0.0, span - 1);
}

/// A per-axis scale or zero point shaped to broadcast along `axis`.
at::Tensor along_axis(const at::Tensor& parameter, const at::Tensor& x, std::int64_t axis) {
  const at::Tensor values = parameter.to(x.device(), at::kFloat);
  if (values.numel() == 1) return values.reshape({});
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[static_cast<std::size_t>(wrap_axis(axis, x.dim()))] = -1;
  return values.reshape(shape);
}

void refuse_blocks(const LowerContext& context) {
  if (context.node.int_or("block_size", 0) != 0) context.refuse("blocked quantization cannot be trained");
}

}  // namespace

Call lower_quantize_linear(const LowerContext& context) {
  refuse_blocks(context);
  const auto [low, high] = range_of(context, quantized_type(context));
  return [low = low, high = high, axis = context.node.int_or("axis", 1), x = context.in(0), s = context.in(1),
          z = context.in(2), y = context.out()](Frame& frame) {
    const at::Tensor input = frame[x].to(at::kFloat);
    at::Tensor steps = RoundStraightThrough::apply(input / along_axis(frame[s], input, axis));
    if (z != kNoSlot) steps = steps + along_axis(frame[z], input, axis);
    frame[y] = at::clamp(steps, low, high);
  };
}

Call lower_dequantize_linear(const LowerContext& context) {
  refuse_blocks(context);
  return [axis = context.node.int_or("axis", 1), x = context.in(0), s = context.in(1), z = context.in(2),
          y = context.out()](Frame& frame) {
    at::Tensor steps = frame[x].to(at::kFloat);
    if (z != kNoSlot) steps = steps - along_axis(frame[z], steps, axis);
    frame[y] = steps * along_axis(frame[s], steps, axis);
  };
}

}  // namespace pare::train
