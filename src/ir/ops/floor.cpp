// Floor: largest integer not above x.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return std::floor(x); }

}  // namespace

extern const Operator kFloor = unary_operator<apply>("Floor", 7);

}  // namespace pare::ir::ops
