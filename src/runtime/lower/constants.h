// A node with its constant inputs, as the operator's own functions want it: lowerings reuse what those compute from
// bounds, scales and shapes.
#pragma once

#include <vector>

#include "ir/op.h"
#include "runtime/lowerer.h"

namespace pare::runtime {

class ConstantInputs {
 public:
  /// Input 0 (the data) stays undefined; an input that is there but not constant makes known() false.
  ConstantInputs(Lowerer& lw, const ir::Node& node) : node_(node), opset_(lw.model().opset(node.domain)), tensors_(1) {
    for (std::size_t slot = 1; slot < node.inputs.size(); ++slot) {
      tensors_.push_back(lw.constant(node.input(slot)));
      known_ = known_ && (node.input(slot) == ir::kNoValue || tensors_.back().defined());
    }
  }
  bool known() const { return known_; }
  ir::EvaluateContext context() const { return {node_, opset_, tensors_}; }

 private:
  const ir::Node& node_;
  std::int64_t opset_;
  std::vector<Tensor> tensors_;
  bool known_ = true;
};

}  // namespace pare::runtime
