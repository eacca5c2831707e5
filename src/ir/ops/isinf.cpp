// IsInf: true where x is infinite; detect_negative and detect_positive each leave out one sign.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

bool test(const Node& node, double x) {
  return std::isinf(x) && node.int_or(x < 0 ? "detect_negative" : "detect_positive", 1) != 0;
}

}  // namespace

extern const Operator kIsInf = predicate_operator<test>("IsInf", 10, {"detect_negative", "detect_positive"});

}  // namespace pare::ir::ops
