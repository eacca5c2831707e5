// ReduceProd: product over axes.
#include "ir/ops/common/reduce.h"

namespace pare::ir::ops {
namespace {

constexpr Reduction kRule = {
    .start = 1,
    .step = [](long double sum, long double x) { return sum * x; },
};

}  // namespace

extern const Operator kReduceProd = reduction_operator<kRule>("ReduceProd", false);

}  // namespace pare::ir::ops
