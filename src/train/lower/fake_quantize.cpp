// FakeQuantize (ir/fake_quantize.h) with the gradients that its scheme's paper gives. Rounding passes gradients
// straight through (Bengio et al. 2013).
#include "ir/fake_quantize.h"

#include "train/lowering.h"
#include "train/uniform_grid.h"

namespace pare::train {
namespace {

using ir::FakeQuantizer;
using ir::FakeScheme;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct RoundThrough : torch::autograd::Function<RoundThrough> {
  static at::Tensor forward(AutogradContext*, const at::Tensor& x) { return at::round(x); }
  static variable_list backward(AutogradContext*, variable_list gradients) { return {gradients[0]}; }
};

/// sign(x), whose gradient passes where |x| ≤ 1 (Hubara et al. 2016, as XNOR-Net takes it).
struct SignThrough : torch::autograd::Function<SignThrough> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x) {
    context->save_for_backward({x});
    return at::sign(x);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {gradients[0] * (context->get_saved_variables()[0].abs() <= 1)};
  }
};

/// `value`, with its gradient passing to `x` unchanged.
struct PassThrough : torch::autograd::Function<PassThrough> {
  static at::Tensor forward(AutogradContext*, const at::Tensor&, const at::Tensor& value) { return value.clone(); }
  static variable_list backward(AutogradContext*, variable_list gradients) { return {gradients[0], at::Tensor()}; }
};

/// x, with its gradient times a factor.
struct ScaleGradient : torch::autograd::Function<ScaleGradient> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, double factor) {
    context->saved_data["factor"] = factor;
    return x.clone();
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {gradients[0] * context->saved_data.at("factor").toDouble(), at::Tensor()};
  }
};

/// Shaped to broadcast along the axis of x.
at::Tensor along(const at::Tensor& values, const at::Tensor& x, std::int64_t axis) {
  if (axis < 0) return values.reshape({});
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[static_cast<std::size_t>(axis)] = -1;
  return values.reshape(shape);
}

/// Mean of |w| where it is above `least`, by index, in f64 as the reference has it.
at::Tensor mean_magnitude(const FakeQuantizer& how, const at::Tensor& w, const at::Tensor& least) {
  const at::Tensor magnitude = w.abs().to(at::kDouble), above = magnitude > least;
  std::vector<std::int64_t> others;
  for (std::int64_t i = 0; i < w.dim(); ++i)
    if (i != how.axis) others.push_back(i);
  return (magnitude * above).sum(others) / above.sum(others).clamp_min(1);
}

at::Tensor as_step(const at::Tensor& mean) { return mean.to(at::kFloat).clamp_min(ir::kSmallestStep).reshape({-1}); }

struct Rounded {
  at::Tensor y, step;
};

/// α·sign(w), α = mean|w|; the gradient follows the product rule through both (Rastegari et al. 2016, section 3.1).
Rounded binary(const FakeQuantizer& how, const at::Tensor& w) {
  const at::Tensor step = as_step(mean_magnitude(how, w, at::zeros({1}, w.options().dtype(at::kDouble))));
  return {SignThrough::apply(w) * along(step, w, how.axis), step};
}

/// Ternary weights; the float weights take their gradient as it is (Li et al. 2016, section 2.3).
Rounded ternary(const FakeQuantizer& how, const at::Tensor& w) {
  at::Tensor value, step;
  {
    const at::NoGradGuard no_grad;
    const at::Tensor none = at::zeros({1}, w.options().dtype(at::kDouble));
    const at::Tensor least = along(mean_magnitude(how, w, none) * 0.7, w, how.axis);
    step = as_step(mean_magnitude(how, w, least));
    value = at::sign(w) * (w.abs().to(at::kDouble) > least) * along(step, w, how.axis);
  }
  return {PassThrough::apply(w, value), step};
}

/// The paper leaves the layer's scale to the BatchNormalization behind it; where that is folded into the weights,
/// `scale` takes its place and learns, its gradient scaled as LSQ scales a step's.
Rounded dorefa(const FakeQuantizer& how, const at::Tensor& w, const at::Tensor& scale) {
  const auto high = static_cast<double>(how.high);
  const at::Tensor bent = w.to(at::kDouble).tanh();
  const at::Tensor unit = bent / (2 * bent.abs().max()) + 0.5;
  const at::Tensor level = (2 * RoundThrough::apply(unit * high) - high).to(at::kFloat) * (w != 0);
  const at::Tensor learned = ScaleGradient::apply(scale, gradient_scale(how, w, scale.numel()));
  const at::Tensor step = learned.clamp_min(ir::kSmallestStep) / high;
  return {level * along(step, w, how.axis), step};
}

/// A step that is given, and not learned here.
Rounded fixed(const FakeQuantizer& how, const at::Tensor& x, const at::Tensor& scale) {
  const at::Tensor step = scale.detach().clamp_min(ir::kSmallestStep), wide = along(step, x, how.axis);
  return {RoundThrough::apply(x / wide).clamp(how.low, how.high) * wide, step};
}

Rounded uniform(const FakeQuantizer& how, const at::Tensor& x, const at::Tensor& scale, const at::Tensor& offset) {
  const at::Tensor step = scale.detach().clamp_min(ir::kSmallestStep);
  return {on_uniform_grid(how, x, scale, offset),
          how.scheme == FakeScheme::kPact ? step / static_cast<double>(how.high) : step};
}

Rounded fake_quantized(const FakeQuantizer& how, const at::Tensor& x, const at::Tensor& scale,
                       const at::Tensor& offset) {
  switch (how.scheme) {
    case FakeScheme::kBinary:
      return binary(how, x);
    case FakeScheme::kTernary:
      return ternary(how, x);
    case FakeScheme::kDorefa:
      return dorefa(how, x, scale);
    case FakeScheme::kFixed:
      return fixed(how, x, scale);
    default:
      return uniform(how, x, scale, offset);
  }
}

}  // namespace

Call lower_fake_quantize(const LowerContext& context) {
  const FakeQuantizer how = ir::fake_quantizer(context.node);
  if (!derives_scale(how.scheme) && !context.has(1)) context.refuse("it has no scale");
  return [how, x = context.in(0), s = context.in(1), b = context.in(2), y = context.out(0),
          steps = context.out(1)](Frame& frame) {
    const auto given = [&](int slot) { return slot == kNoSlot ? at::Tensor() : frame[slot]; };
    Rounded result = fake_quantized(how, frame[x].to(at::kFloat), given(s), given(b));
    frame[y] = std::move(result.y);
    if (steps != kNoSlot) frame[steps] = result.step.detach();
  };
}

}  // namespace pare::train
