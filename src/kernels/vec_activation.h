// Activations of float32 products, over a vector type V of the including file (kernels/vec_*.h; what is made of it must
// stay in that file).
#pragma once

#include "kernels/elementwise/elementwise.h"

namespace pare::kernels {

template <class V>
typename V::Type negative_size(typename V::Type x) {  // NaN stays
  return V::min(V::sub(V::zero(), x), x);
}

/// x · clamp(x / 6 + ½, 0, 1)
template <class V>
struct HardSwish {
  typename V::Type operator()(typename V::Type x) const {
    const auto gate = V::fma(x, V::set(1.0f / 6), V::set(0.5f));
    return V::mul(x, V::min(V::set(1), V::max(V::zero(), gate)));
  }
};

/// e^min(x, 0) / (1 + e^−|x|)
template <class V>
struct Sigmoid {
  typename V::Type operator()(typename V::Type x) const {
    const auto above = V::exp_negative(V::min(V::zero(), x));
    return V::div(above, V::add(V::set(1), V::exp_negative(negative_size<V>(x))));
  }
};

template <class V>
struct Silu {
  typename V::Type operator()(typename V::Type x) const { return V::mul(x, Sigmoid<V>()(x)); }
};

/// x · Φ(x) = max(x, 0) − |x| · Φ(−|x|) with Φ(−t) = e^−P(t): P is a fit to −log Φ(−t) whose error counts by that of the
/// result, 4e-8 of 1 and for |x| < 3 1.2e-6 of it; from 13 on the power is 0.
template <class V>
struct Gelu {
  typename V::Type operator()(typename V::Type x) const {
    static constexpr float kP[] = {-4.944659e-07f, 6.61327e-06f,    -4.7496935e-05f, 0.00017485642f, 4.142982e-05f,
                                   -0.0048708864f, 0.036393065f,    0.31828958f,     0.797888f,      0.693147f};
    const auto t = V::min(V::set(13), V::sub(V::zero(), negative_size<V>(x)));
    auto p = V::set(1.5568302e-08f);
#pragma GCC unroll 10
    for (float term : kP) p = V::fma(p, t, V::set(term));
    return V::fnma(t, V::exp_negative(V::sub(V::zero(), p)), V::max(V::zero(), x));
  }
};

/// x · ½(1 + tanh u) = x · sigmoid(2u) with u = √(2/π) · (x + 0.044715x³)
template <class V>
struct GeluTanh {
  typename V::Type operator()(typename V::Type x) const {
    constexpr float kTwice = 2 * 0.7978845608028654f;
    const auto inner = V::fma(V::mul(x, x), V::set(kTwice * 0.044715f), V::set(kTwice));
    return V::mul(x, Sigmoid<V>()(V::mul(x, inner)));
  }
};

template <class V>
struct Relu {
  typename V::Type operator()(typename V::Type x) const { return V::max(V::zero(), x); }  // NaN stays: the second operand
};

/// use(f) with an activation that is_fused() (kernels/float_epilogue.h) as f(x) of a vector; kIdentity: not at all.
template <class V, class Use>
void with_activation(UnaryOp activation, const Use& use) {
  switch (activation) {
    case UnaryOp::kRelu:
      return use(Relu<V>());
    case UnaryOp::kHardSwish:
      return use(HardSwish<V>());
    case UnaryOp::kSigmoid:
      return use(Sigmoid<V>());
    case UnaryOp::kSilu:
      return use(Silu<V>());
    case UnaryOp::kGelu:
      return use(Gelu<V>());
    case UnaryOp::kGeluTanh:
      return use(GeluTanh<V>());
    default:
      return;
  }
}

template <class V>
typename V::Type activate(UnaryOp activation, typename V::Type x) {
  with_activation<V>(activation, [&x](auto function) { x = function(x); });
  return x;
}

}  // namespace pare::kernels
