// LeakyRelu: y = x for x ≥ 0, alpha·x below.
#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

RealMap make(const Node& node) {
  const double alpha = node.float_or("alpha", 0.01F);
  return [alpha](double x) { return x < 0 ? alpha * x : x; };
}

}  // namespace

extern const Operator kLeakyRelu = unary_operator<make>("LeakyRelu", 7, {"alpha"});

}  // namespace pare::ir::ops
