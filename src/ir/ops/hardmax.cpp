// Hardmax: 1 at the first largest element of each line, 0 elsewhere.
#include <algorithm>

#include "ir/ops/common/softmax.h"

namespace pare::ir::ops {
namespace {

void harden(std::span<double> line) {
  const auto largest = std::ranges::max_element(line) - line.begin();
  std::ranges::fill(line, 0.0);
  line[static_cast<std::size_t>(largest)] = 1;
}

}  // namespace

extern const Operator kHardmax = {
    .op_type = "Hardmax",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"axis"},
    .infer = infer_softmax,
    .evaluate = [](const EvaluateContext& ctx) { return evaluate_softmax(ctx, harden); },
    .axes = axes_softmax,
};

}  // namespace pare::ir::ops
