// Acos: arc cosine in radians; NaN outside [−1, 1].
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::acos(x); }

}  // namespace

extern const Operator kAcos = unary_operator<apply>("Acos", 7);

}  // namespace pare::ir::ops
