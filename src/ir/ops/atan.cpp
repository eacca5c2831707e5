// Atan: arc tangent in radians.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::atan(x); }

}  // namespace

extern const Operator kAtan = unary_operator<apply>("Atan", 7);

}  // namespace pare::ir::ops
