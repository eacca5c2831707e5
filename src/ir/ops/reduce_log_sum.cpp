// ReduceLogSum: natural logarithm of the sum over axes.
#include <cmath>

#include "ir/ops/common/reduce.h"

namespace pare::ir::ops {
namespace {

constexpr Reduction kRule = {
    .step = [](long double sum, long double x) { return sum + x; },
    .finish = [](long double sum, std::int64_t) { return std::log(sum); },
};

}  // namespace

extern const Operator kReduceLogSum = reduction_operator<kRule>("ReduceLogSum", false);

}  // namespace pare::ir::ops
