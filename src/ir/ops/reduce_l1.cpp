// ReduceL1: sum of absolute values over axes.
#include "ir/ops/common/reduce.h"

namespace pare::ir::ops {
namespace {

constexpr Reduction kRule = {
    .step = [](long double sum, long double x) { return sum + (x < 0 ? -x : x); },
};

}  // namespace

extern const Operator kReduceL1 = reduction_operator<kRule>("ReduceL1", true);

}  // namespace pare::ir::ops
