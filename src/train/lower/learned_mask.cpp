// MovementMask, SoftThreshold and HardConcrete (ir/learned_masks.h) with the gradients of their papers.
#include "ir/learned_masks.h"

#include "train/lowering.h"

namespace pare::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// w ⊙ m; ∂L/∂w = g ⊙ m, and ∂L/∂S = g ⊙ w for the scores behind m, straight through the choice (Sanh et al. 2020,
/// section 4 and appendix A.1).
struct MaskThrough : torch::autograd::Function<MaskThrough> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& w, const at::Tensor&, const at::Tensor& mask) {
    context->save_for_backward({w, mask});
    return w * mask;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    return {gradients[0] * saved[1], gradients[0] * saved[0], at::Tensor()};
  }
};

/// x, with the loss grown by `term`: its gradient is 1.
struct AddToLoss : torch::autograd::Function<AddToLoss> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& term) {
    context->save_for_backward({term});
    return x.clone();
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {gradients[0], at::ones_like(context->get_saved_variables()[0])};
  }
};

double open_shift() { return ir::kConcreteBeta * std::log(-ir::kConcreteGamma / ir::kConcreteZeta); }

/// Equations 10 and 11 of Louizos et al. 2018 while training, 13 otherwise.
at::Tensor gates_of(const at::Tensor& log_alpha, const Frame& frame) {
  at::Tensor s = log_alpha;
  if (frame.training) {
    const at::Tensor u = at::empty_like(log_alpha.detach()).uniform_(1e-6, 1 - 1e-6, frame.generator);
    s = (u.log() - (-u).log1p() + log_alpha) / ir::kConcreteBeta;
  }
  return (s.sigmoid() * (ir::kConcreteZeta - ir::kConcreteGamma) + ir::kConcreteGamma).clamp(0, 1);
}

}  // namespace

Call lower_movement_mask(const LowerContext& context) {
  return [w = context.in(0), s = context.in(1), m = context.in(2), y = context.out()](Frame& frame) {
    frame[y] = MaskThrough::apply(frame[w], frame[s], frame[m].detach());
  };
}

Call lower_soft_threshold(const LowerContext& context) {
  return [w = context.in(0), s = context.in(1), y = context.out()](Frame& frame) {
    // The derivatives by w and s that this has are equations 4 and 5 of Kusupati et al. 2020.
    frame[y] = frame[w].sign() * (frame[w].abs() - frame[s].sigmoid()).relu();
  };
}

Call lower_hard_concrete(const LowerContext& context) {
  const double penalty = context.node.float_or("penalty", 0);
  return [=, w = context.in(0), a = context.in(1), y = context.out()](Frame& frame) {
    at::Tensor gates = gates_of(frame[a], frame);
    if (frame.training && penalty != 0)
      gates = AddToLoss::apply(gates, (frame[a] - open_shift()).sigmoid().mean() * penalty);
    frame[y] = frame[w] * gates;
  };
}

}  // namespace pare::train
