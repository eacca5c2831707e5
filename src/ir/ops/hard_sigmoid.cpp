// HardSigmoid: y = clamp(alpha·x + beta, 0, 1).
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

RealMap make(const Node& node) {
  const double alpha = node.float_or("alpha", 0.2F), beta = node.float_or("beta", 0.5F);
  return [alpha, beta](double x) { return std::fmax(0, std::fmin(1, alpha * x + beta)); };
}

}  // namespace

extern const Operator kHardSigmoid = unary_operator<make>("HardSigmoid", 6, {"alpha", "beta"});

}  // namespace pare::ir::ops
