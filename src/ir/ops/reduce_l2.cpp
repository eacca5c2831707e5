// ReduceL2: square root of the sum of squares over axes.
#include <cmath>

#include "ir/ops/common/reduce.h"

namespace pare::ir::ops {
namespace {

constexpr Reduction kRule = {
    .step = [](long double sum, long double x) { return sum + x * x; },
    .finish = [](long double sum, std::int64_t) { return std::sqrt(sum); },
};

}  // namespace

extern const Operator kReduceL2 = reduction_operator<kRule>("ReduceL2", true);

}  // namespace pare::ir::ops
