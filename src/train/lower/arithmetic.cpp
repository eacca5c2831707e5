// Element-wise arithmetic, comparison and selection with numpy broadcasting.
#include "train/lowering.h"

namespace pare::train {
namespace {

using Binary = at::Tensor (*)(const at::Tensor&, const at::Tensor&);
using Unary = at::Tensor (*)(const at::Tensor&);

/// Shape arithmetic stays on the CPU; a small tensor that meets a larger one follows it to its device.
void meet(at::Tensor& a, at::Tensor& b) {
  if (a.device() == b.device()) return;
  if (a.is_cpu())
    a = a.to(b.device());
  else
    b = b.to(a.device());
}

Call binary(const LowerContext& context, Binary function) {
  return [=, a = context.in(0), b = context.in(1), y = context.out()](Frame& frame) {
    at::Tensor left = frame[a], right = frame[b];
    meet(left, right);
    frame[y] = function(left, right);
  };
}

Call variadic(const LowerContext& context, Binary function) {
  std::vector<int> inputs;
  for (std::size_t i = 0; i < context.node.inputs.size(); ++i) inputs.push_back(context.in(i));
  return [=, y = context.out()](Frame& frame) {
    at::Tensor result = frame[inputs[0]];
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      at::Tensor next = frame[inputs[i]];
      meet(result, next);
      result = function(result, next);
    }
    frame[y] = result;
  };
}

Call elementwise(const LowerContext& context, Unary function) { return unary(context, function); }

/// target += other, when that gives the same as target + other.
bool add_in_place(const at::Tensor& target, const at::Tensor& other) {
  if (target.scalar_type() != other.scalar_type() || target.device() != other.device()) return false;
  if (!target.sizes().equals(other.sizes()) || target.is_same(other)) return false;
  target.add_(other);
  return true;
}

at::Tensor divide(const at::Tensor& a, const at::Tensor& b) {
  const bool integers = !a.is_floating_point() && !b.is_floating_point();
  return integers ? at::div(a, b, "trunc") : at::div(a, b);
}

}  // namespace

Call lower_add(const LowerContext& context) {
  // A residual sum may land in a convolution's output: one pass over memory less.
  const bool left = context.may_overwrite(0), right = context.may_overwrite(1);
  return [=, a = context.in(0), b = context.in(1), y = context.out()](Frame& frame) {
    at::Tensor x = frame[a], z = frame[b];
    meet(x, z);
    if (left && add_in_place(x, z))
      frame[y] = x;
    else if (right && add_in_place(z, x))
      frame[y] = z;
    else
      frame[y] = at::add(x, z);
  };
}

Call lower_sub(const LowerContext& context) {
  return binary(context, [](auto& a, auto& b) { return at::sub(a, b); });
}
Call lower_mul(const LowerContext& context) {
  return binary(context, [](auto& a, auto& b) { return at::mul(a, b); });
}
Call lower_div(const LowerContext& context) { return binary(context, &divide); }
Call lower_pow(const LowerContext& context) {
  // The result has the type of the base, whatever the exponent's.
  return binary(context, [](auto& a, auto& b) { return at::pow(a, b).to(a.scalar_type()); });
}
Call lower_sqrt(const LowerContext& context) {
  return elementwise(context, [](auto& x) { return at::sqrt(x); });
}
Call lower_exp(const LowerContext& context) {
  return elementwise(context, [](auto& x) { return at::exp(x); });
}
Call lower_log(const LowerContext& context) {
  return elementwise(context, [](auto& x) { return at::log(x); });
}
Call lower_neg(const LowerContext& context) {
  return elementwise(context, [](auto& x) { return at::neg(x); });
}
Call lower_abs(const LowerContext& context) {
  return elementwise(context, [](auto& x) { return at::abs(x); });
}
Call lower_reciprocal(const LowerContext& context) {
  return elementwise(context, [](auto& x) { return at::reciprocal(x); });
}
Call lower_erf(const LowerContext& context) {
  return elementwise(context, [](auto& x) { return at::erf(x); });
}
Call lower_sin(const LowerContext& context) {
  return elementwise(context, [](auto& x) { return at::sin(x); });
}
Call lower_cos(const LowerContext& context) {
  return elementwise(context, [](auto& x) { return at::cos(x); });
}
Call lower_sign(const LowerContext& context) {
  return elementwise(context, [](auto& x) { return at::sign(x); });
}
Call lower_round(const LowerContext& context) {
  return elementwise(context, [](auto& x) { return at::round(x); });
}
Call lower_is_nan(const LowerContext& context) {
  return elementwise(context, [](auto& x) { return at::isnan(x); });
}
Call lower_mod(const LowerContext& context) {
  // fmod: the sign of the dividend, as in C; otherwise that of the divisor.
  if (context.node.int_or("fmod", 0) != 0) return binary(context, [](auto& a, auto& b) { return at::fmod(a, b); });
  return binary(context, [](auto& a, auto& b) { return at::remainder(a, b); });
}
Call lower_floor(const LowerContext& context) {
  return elementwise(context, [](auto& x) { return at::floor(x); });
}
Call lower_ceil(const LowerContext& context) {
  return elementwise(context, [](auto& x) { return at::ceil(x); });
}
Call lower_min(const LowerContext& context) {
  return variadic(context, [](auto& a, auto& b) { return at::minimum(a, b); });
}
Call lower_max(const LowerContext& context) {
  return variadic(context, [](auto& a, auto& b) { return at::maximum(a, b); });
}
Call lower_sum(const LowerContext& context) {
  return variadic(context, [](auto& a, auto& b) { return at::add(a, b); });
}
Call lower_equal(const LowerContext& context) {
  return binary(context, [](auto& a, auto& b) { return at::eq(a, b); });
}
Call lower_greater(const LowerContext& context) {
  return binary(context, [](auto& a, auto& b) { return at::gt(a, b); });
}
Call lower_less(const LowerContext& context) {
  return binary(context, [](auto& a, auto& b) { return at::lt(a, b); });
}
Call lower_greater_or_equal(const LowerContext& context) {
  return binary(context, [](auto& a, auto& b) { return at::ge(a, b); });
}
Call lower_less_or_equal(const LowerContext& context) {
  return binary(context, [](auto& a, auto& b) { return at::le(a, b); });
}
Call lower_and(const LowerContext& context) {
  return binary(context, [](auto& a, auto& b) { return at::logical_and(a, b); });
}
Call lower_or(const LowerContext& context) {
  return binary(context, [](auto& a, auto& b) { return at::logical_or(a, b); });
}
Call lower_not(const LowerContext& context) {
  return elementwise(context, [](auto& x) { return at::logical_not(x); });
}

Call lower_where(const LowerContext& context) {
  return [c = context.in(0), a = context.in(1), b = context.in(2), y = context.out()](Frame& frame) {
    at::Tensor condition = frame[c], x = frame[a], z = frame[b];
    meet(x, z);
    meet(condition, x);
    frame[y] = at::where(condition, x, z.to(x.device()));
  };
}

}  // namespace pare::train
