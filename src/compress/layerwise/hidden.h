// Positions of sequences that a model's own mask hides from its outputs: padding, which no statistics should count.
#pragma once

#include <string>

#include "compress/method.h"

namespace pare::compress {

class HiddenPositions {
 public:
  /// Looks at a few training samples for an input [N, S] of nothing but 0 and 1, and takes it for a mask if the model's
  /// outputs stay the same (to rounding) when all other integer inputs of that shape are changed where it is 0. One
  /// compilation and two forward passes where there is such an input, else nothing.
  HiddenPositions(const ir::Model& model, const StepContext& context);

  const std::string& mask() const noexcept { return mask_; }  ///< the input's name; "": nothing is hidden

  /// The rows of `value`, f32 [N, S, …], that the mask in `inputs` shows, as [rows, …]; `value` itself where it has no such
  /// shape.
  Tensor shown(const Tensor& value, const NamedTensors& inputs) const;

 private:
  std::string mask_;
};

}  // namespace pare::compress
