// IsNaN: true where x is not a number.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

bool test(const Node&, double x) { return std::isnan(x); }

}  // namespace

extern const Operator kIsNaN = predicate_operator<test>("IsNaN", 9, {});

}  // namespace pare::ir::ops
