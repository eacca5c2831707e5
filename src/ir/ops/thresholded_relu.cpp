// ThresholdedRelu: y = x above alpha, 0 elsewhere.
#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

RealMap make(const Node& node) {
  const double alpha = node.float_or("alpha", 1.0F);
  return [alpha](double x) { return x <= alpha ? 0 : x; };
}

}  // namespace

extern const Operator kThresholdedRelu = unary_operator<make>("ThresholdedRelu", 10, {"alpha"});

}  // namespace pare::ir::ops
