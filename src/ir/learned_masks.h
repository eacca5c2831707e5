// What learned masks make of a weight: the operators MovementMask, SoftThreshold and HardConcrete (domain pare). Their
// first input is the weight, the others what decides over it, and trains beside it. Defined here once, for the scalar
// reference, for the trainer's tests and for the weights that are written in the end. All tensors are f32.
#pragma once

#include "pare/tensor.h"

namespace pare::ir {

/// w ⊙ mask (0 or 1): movement pruning (Sanh et al. 2020). The scores that decide the mask do not matter to the value;
/// while training they take the gradient straight through it, ∂L/∂S = ∂L/∂y ⊙ w.
Tensor movement_masked(const Tensor& weight, const Tensor& mask);

/// 1/(1 + e^−s): the threshold that a number s stands for.
double threshold_of(double s);
/// sign(w)·max(|w| − threshold_of(s), 0), never −0 (Kusupati et al. 2020, equation 2 with g the sigmoid). `s`: [1].
Tensor soft_thresholded(const Tensor& weight, const Tensor& s);

// The hard concrete distribution (Louizos et al. 2018, section 2.2; the constants are the paper's).
inline constexpr double kConcreteBeta = 2.0 / 3, kConcreteGamma = -0.1, kConcreteZeta = 1.1;

/// A gate after training: min(1, max(0, sigmoid(log α)(ζ − γ) + γ)) (equation 13).
double concrete_gate(double log_alpha);
/// The chance that a gate is not shut: sigmoid(log α − β·log(−γ/ζ)) (equation 12).
double concrete_open(double log_alpha);
/// w ⊙ gate, never −0. `log_alpha`: the weight's rank, each axis the weight's or 1.
Tensor concrete_gated(const Tensor& weight, const Tensor& log_alpha);

}  // namespace pare::ir
