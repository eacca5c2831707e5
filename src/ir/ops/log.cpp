// Log: natural logarithm.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::log(x); }

}  // namespace

extern const Operator kLog = unary_operator<apply>("Log", 7);

}  // namespace pare::ir::ops
