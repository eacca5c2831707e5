// Tanh: hyperbolic tangent.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::tanh(x); }

}  // namespace

extern const Operator kTanh = unary_operator<apply>("Tanh", 7);

}  // namespace pare::ir::ops
