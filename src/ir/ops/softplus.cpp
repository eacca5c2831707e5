// Softplus: y = log(1 + exp(x)), without overflow.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

}  // namespace

extern const Operator kSoftplus = unary_operator<apply>("Softplus", 1);

}  // namespace pare::ir::ops
