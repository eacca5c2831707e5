// ReduceMin: smallest element (NaN wins) over axes.
#include <cmath>
#include <limits>

#include "ir/ops/common/reduce.h"

namespace pare::ir::ops {
namespace {

constexpr Reduction kRule = {
    .start = std::numeric_limits<long double>::infinity(),
    .step = [](long double sum, long double x) { return std::isnan(sum) || sum <= x ? sum : x; },
};

}  // namespace

extern const Operator kReduceMin = reduction_operator<kRule>("ReduceMin", false);

}  // namespace pare::ir::ops
