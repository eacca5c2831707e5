// Cosh: hyperbolic cosine.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::cosh(x); }

}  // namespace

extern const Operator kCosh = unary_operator<apply>("Cosh", 9);

}  // namespace pare::ir::ops
