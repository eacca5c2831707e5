// Acosh: inverse hyperbolic cosine; NaN below 1.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::acosh(x); }

}  // namespace

extern const Operator kAcosh = unary_operator<apply>("Acosh", 9);

}  // namespace pare::ir::ops
