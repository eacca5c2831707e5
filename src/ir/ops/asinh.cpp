// Asinh: inverse hyperbolic sine.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::asinh(x); }

}  // namespace

extern const Operator kAsinh = unary_operator<apply>("Asinh", 9);

}  // namespace pare::ir::ops
