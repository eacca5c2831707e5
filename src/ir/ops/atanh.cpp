// Atanh: inverse hyperbolic tangent; NaN outside [−1, 1].
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::atanh(x); }

}  // namespace

extern const Operator kAtanh = unary_operator<apply>("Atanh", 9);

}  // namespace pare::ir::ops
