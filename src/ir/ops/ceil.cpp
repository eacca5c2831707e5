// Ceil: smallest integer not below x.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::ceil(x); }

}  // namespace

extern const Operator kCeil = unary_operator<apply>("Ceil", 7);

}  // namespace pare::ir::ops
