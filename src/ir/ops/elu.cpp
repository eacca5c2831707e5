// Elu: y = x for x ≥ 0, alpha·(exp(x) − 1) below.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

RealMap make(const Node& node) {
  const double alpha = node.float_or("alpha", 1.0F);
  return [alpha](double x) { return x < 0 ? alpha * std::expm1(x) : x; };
}

}  // namespace

extern const Operator kElu = unary_operator<make>("Elu", 6, {"alpha"});

}  // namespace pare::ir::ops
