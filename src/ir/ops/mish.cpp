// Mish: y = x·tanh(softplus(x)) (Misra, 2019).
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return x * std::tanh(x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x))); }

}  // namespace

extern const Operator kMish = unary_operator<apply>("Mish", 18);

}  // namespace pare::ir::ops
