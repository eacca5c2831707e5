// Sqrt: square root; NaN below zero.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::sqrt(x); }

}  // namespace

extern const Operator kSqrt = unary_operator<apply>("Sqrt", 7);

}  // namespace pare::ir::ops
