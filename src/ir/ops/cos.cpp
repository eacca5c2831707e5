// Cos: cosine of radians.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::cos(x); }

}  // namespace

extern const Operator kCos = unary_operator<apply>("Cos", 7);

}  // namespace pare::ir::ops
