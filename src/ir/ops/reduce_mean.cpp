// ReduceMean: mean over axes.
#include "ir/ops/common/reduce.h"

namespace pare::ir::ops {
namespace {

constexpr Reduction kRule = {
    .step = [](long double sum, long double x) { return sum + x; },
    .finish = [](long double sum, std::int64_t count) { return sum / static_cast<long double>(count); },
};

}  // namespace

extern const Operator kReduceMean = reduction_operator<kRule>("ReduceMean", false);

}  // namespace pare::ir::ops
