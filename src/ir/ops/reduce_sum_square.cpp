// ReduceSumSquare: sum of squares over axes.
#include "ir/ops/common/reduce.h"

namespace pare::ir::ops {
namespace {

constexpr Reduction kRule = {
    .step = [](long double sum, long double x) { return sum + x * x; },
};

}  // namespace

extern const Operator kReduceSumSquare = reduction_operator<kRule>("ReduceSumSquare", true);

}  // namespace pare::ir::ops
