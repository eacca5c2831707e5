// Element-wise activations.
#include <limits>

#include "base/float16.h"
#include "train/lowering.h"

namespace pare::train {

Call lower_relu(const LowerContext& context) {
  if (!context.may_overwrite(0)) return unary(context, [](const at::Tensor& x) { return at::relu(x); });
  return [x = context.in(), y = context.out()](Frame& frame) { frame[y] = at::relu_(frame[x]); };
}

Call lower_leaky_relu(const LowerContext& context) {
  return unary(context, [slope = context.node.float_or("alpha", 0.01F)](const at::Tensor& x) {
    return at::leaky_relu(x, slope);
  });
}

Call lower_prelu(const LowerContext& context) {
  return [x = context.in(0), slope = context.in(1), y = context.out()](Frame& frame) {
    // The slope broadcasts as in numpy, which at::prelu does not.
    frame[y] = at::clamp_min(frame[x], 0) + frame[slope] * at::clamp_max(frame[x], 0);
  };
}

Call lower_elu(const LowerContext& context) {
  return unary(context, [alpha = context.node.float_or("alpha", 1)](const at::Tensor& x) { return at::elu(x, alpha); });
}

Call lower_sigmoid(const LowerContext& context) {
  return unary(context, [](const at::Tensor& x) { return at::sigmoid(x); });
}

Call lower_tanh(const LowerContext& context) {
  return unary(context, [](const at::Tensor& x) { return at::tanh(x); });
}

Call lower_clip(const LowerContext& context) {
  if (context.opset < 11) {
    const double low = context.node.float_or("min", std::numeric_limits<float>::lowest());
    const double high = context.node.float_or("max", std::numeric_limits<float>::max());
    return unary(context, [=](const at::Tensor& x) { return at::clamp(x, low, high); });
  }
  const Tensor *low = context.constant(1), *high = context.constant(2);
  const bool constant = (low != nullptr || !context.has(1)) && (high != nullptr || !context.has(2));
  if (!constant) {
    return [x = context.in(0), a = context.in(1), b = context.in(2), y = context.out()](Frame& frame) {
      at::Tensor result = frame[x];
      if (a != kNoSlot) result = at::maximum(result, frame[a].to(result.device()));
      if (b != kNoSlot) result = at::minimum(result, frame[b].to(result.device()));
      frame[y] = result;
    };
  }
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double minimum = low != nullptr ? element_as_double(*low, 0) : -kInfinity;
  const double maximum = high != nullptr ? element_as_double(*high, 0) : kInfinity;
  return unary(context, [=](const at::Tensor& x) { return at::clamp(x, minimum, maximum).to(x.scalar_type()); });
}

Call lower_hard_sigmoid(const LowerContext& context) {
  const double alpha = context.node.float_or("alpha", 0.2F), beta = context.node.float_or("beta", 0.5F);
  return unary(context, [=](const at::Tensor& x) { return at::clamp(x * alpha + beta, 0, 1); });
}

Call lower_hard_swish(const LowerContext& context) {
  return unary(context, [](const at::Tensor& x) { return at::hardswish(x); });
}

Call lower_gelu(const LowerContext& context) {
  const std::string approximate = context.node.string_or("approximate", "none");
  if (approximate != "none" && approximate != "tanh") context.refuse("approximate '" + approximate + "' is unknown");
  return unary(context, [=](const at::Tensor& x) { return at::gelu(x, approximate); });
}

Call lower_softplus(const LowerContext& context) {
  return unary(context, [](const at::Tensor& x) { return at::softplus(x); });
}

Call lower_softsign(const LowerContext& context) {
  return unary(context, [](const at::Tensor& x) { return x / (at::abs(x) + 1); });
}

Call lower_mish(const LowerContext& context) {
  return unary(context, [](const at::Tensor& x) { return at::mish(x); });
}

Call lower_selu(const LowerContext& context) {
  const double alpha = context.node.float_or("alpha", 1.67326319217681884765625F);
  const double gamma = context.node.float_or("gamma", 1.05070102214813232421875F);
  return unary(context, [=](const at::Tensor& x) { return at::elu(x, alpha, gamma); });
}

Call lower_celu(const LowerContext& context) {
  return unary(context,
               [alpha = context.node.float_or("alpha", 1)](const at::Tensor& x) { return at::celu(x, alpha); });
}

}  // namespace pare::train
