// Sinh: hyperbolic sine.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::sinh(x); }

}  // namespace

extern const Operator kSinh = unary_operator<apply>("Sinh", 9);

}  // namespace pare::ir::ops
