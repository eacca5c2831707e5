// Asin: arc sine in radians; NaN outside [−1, 1].
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::asin(x); }

}  // namespace

extern const Operator kAsin = unary_operator<apply>("Asin", 7);

}  // namespace pare::ir::ops
