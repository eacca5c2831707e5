// Selu: y = gamma·x above 0, gamma·alpha·(exp(x) − 1) below (Klambauer et al., 2017).
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

RealMap make(const Node& node) {
  const double alpha = node.float_or("alpha", 1.67326319217681884765625F),
               gamma = node.float_or("gamma", 1.05070102214813232421875F);
  return [alpha, gamma](double x) { return gamma * (x > 0 ? x : alpha * std::expm1(x)); };
}

}  // namespace

extern const Operator kSelu = unary_operator<make>("Selu", 6, {"alpha", "gamma"});

}  // namespace pare::ir::ops
