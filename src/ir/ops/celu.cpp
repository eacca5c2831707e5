// Celu: y = max(0, x) + min(0, alpha·(exp(x / alpha) − 1)) (Barron, 2017).
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

RealMap make(const Node& node) {
  const double alpha = node.float_or("alpha", 1.0F);
  return [alpha](double x) { return x < 0 ? alpha * std::expm1(x / alpha) : x; };
}

}  // namespace

extern const Operator kCelu = unary_operator<make>("Celu", 12, {"alpha"});

}  // namespace pare::ir::ops
