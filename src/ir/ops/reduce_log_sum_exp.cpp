// ReduceLogSumExp: log Σ exp(x) over axes, without overflow.
#include <cmath>
#include <limits>

#include "ir/ops/common/reduce.h"

namespace pare::ir::ops {
namespace {

long double log_add(long double sum, long double x) {
  if (std::isinf(sum) && sum < 0) return x;
  const long double largest = x > sum || std::isnan(x) ? x : sum;
  if (std::isinf(largest)) return largest;
  return largest + std::log1p(std::exp(-std::abs(sum - x)));
}

constexpr Reduction kRule = {
    .start = -std::numeric_limits<long double>::infinity(),
    .step = log_add,
};

}  // namespace

extern const Operator kReduceLogSumExp = reduction_operator<kRule>("ReduceLogSumExp", false);

}  // namespace pare::ir::ops
