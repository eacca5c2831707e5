// Tan: tangent of radians.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::tan(x); }

}  // namespace

extern const Operator kTan = unary_operator<apply>("Tan", 7);

}  // namespace pare::ir::ops
