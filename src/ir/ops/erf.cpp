// Erf: Gauss error function.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::erf(x); }

}  // namespace

extern const Operator kErf = unary_operator<apply>("Erf", 9);

}  // namespace pare::ir::ops
