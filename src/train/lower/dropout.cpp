// Dropout: active while training, identity otherwise.
#include "base/float16.h"
#include "train/lowering.h"

namespace pare::train {

Call lower_dropout(const LowerContext& context) {
  context.only_first_output();
  double ratio = context.node.float_or("ratio", 0.5F);
  if (context.opset >= 12 && context.has(1)) {
    const Tensor* constant = context.constant(1);
    if (constant == nullptr) context.refuse("the ratio must be constant");
    ratio = element_as_double(*constant, 0);
  }
  if (!(ratio >= 0 && ratio < 1)) context.refuse("ratio " + std::to_string(ratio) + " is outside [0, 1)");
  return [=, x = context.in(), y = context.out()](Frame& frame) {
    if (!frame.training || ratio == 0) {
      frame[y] = frame[x];
      return;
    }
    // The trainer's own generator, so that its state is saved and nobody else draws from it.
    const at::Tensor keep = at::empty_like(frame[x].detach()).bernoulli_(1 - ratio, frame.generator).div_(1 - ratio);
    frame[y] = frame[x] * keep;
  };
}

}  // namespace pare::train
