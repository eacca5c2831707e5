// Reciprocal: y = 1 / x.
#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return 1 / x; }

}  // namespace

extern const Operator kReciprocal = unary_operator<apply>("Reciprocal", 7);

}  // namespace pare::ir::ops
