// Round: to the nearest integer, halves to even.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::nearbyint(x); }

}  // namespace

extern const Operator kRound = unary_operator<apply>("Round", 11);

}  // namespace pare::ir::ops
