// Sin: sine of radians.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::sin(x); }

}  // namespace

extern const Operator kSin = unary_operator<apply>("Sin", 7);

}  // namespace pare::ir::ops
