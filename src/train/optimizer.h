// SGD and AdamW over a list of parameters, with masks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "exec/trainer.h"
#include "train/torch_headers.h"

namespace pare::train {

class Optimizer {
 public:
  /// `parameters` are dense f32 leaves; they are updated in place.
  Optimizer(const exec::OptimizerOptions& options, const std::vector<at::Tensor>& parameters);

  /// One for each parameter, in order; undefined where the loss does not depend on it.
  void set_gradients(const std::vector<at::Tensor>& gradients);
  /// Global L2 norm of the gradients, of parameters that stay excepted.
  double gradient_norm() const;
  /// One update from the gradients, scaled so that their global norm (`norm`) is at most clip_norm; then drops them.
  void step(double learning_rate, double norm);

  /// Zeros of `mask` (uint8, the parameter's shape) hold the weight and its optimizer state at +0 from now on;
  /// undefined lifts.
  void set_mask(std::size_t parameter, const at::Tensor& mask);
  at::Tensor mask(std::size_t parameter) const { return slots_[parameter].mask; }
  /// Zeroes what the mask covers, after the weight was set from outside.
  void apply_mask(std::size_t parameter);

  void set_rule(std::size_t parameter, const exec::UpdateRule& rule) { slots_[parameter].rule = rule; }

  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }
  /// Momentum (SGD), or both moments (AdamW), of a parameter.
  std::vector<at::Tensor> moments(std::size_t parameter) const;

 private:
  struct Slot {
    at::Tensor weight, first, second, mask;
    bool decays = false;
    at::Tensor gradient;
    exec::UpdateRule rule = {};
  };
  struct Rates {
    float learning_rate, scale, correction1, correction2;
  };

  double decay_of(const Slot& slot) const;
  void update_fused(const Slot& slot, const at::Tensor& gradient, const Rates& rates) const;
  void update_by_operators(const Slot& slot, const at::Tensor& gradient, const Rates& rates) const;

  exec::OptimizerOptions options_;
  std::vector<Slot> slots_;
  std::int64_t steps_ = 0;
};

}  // namespace pare::train
