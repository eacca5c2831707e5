// HardSwish: y = x · clamp(x/6 + 1/2, 0, 1).
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return x * std::fmax(0, std::fmin(1, x / 6 + 0.5)); }

}  // namespace

extern const Operator kHardSwish = unary_operator<apply>("HardSwish", 14);

}  // namespace pare::ir::ops
