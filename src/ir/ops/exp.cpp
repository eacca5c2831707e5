// Exp: natural exponential.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::exp(x); }

}  // namespace

extern const Operator kExp = unary_operator<apply>("Exp", 7);

}  // namespace pare::ir::ops
