// ReduceSum: sum over axes.
#include "ir/ops/common/reduce.h"

namespace pare::ir::ops {
namespace {

constexpr Reduction kRule = {
    .step = [](long double sum, long double x) { return sum + x; },
};

}  // namespace

extern const Operator kReduceSum = reduction_operator<kRule, 13>("ReduceSum", true);

}  // namespace pare::ir::ops
