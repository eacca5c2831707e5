// Softsign: y = x / (1 + |x|).
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return x / (1 + std::abs(x)); }

}  // namespace

extern const Operator kSoftsign = unary_operator<apply>("Softsign", 1);

}  // namespace pare::ir::ops
