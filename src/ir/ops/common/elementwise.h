// Element-by-element evaluation: unary maps and broadcast combinations, in double for floats and int64 for integers.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "ir/op.h"
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {

using RealMap = std::function<double(double)>;
using IntMap = std::function<std::int64_t(std::int64_t)>;
/// Output 0 of input 0. Without an integer rule integers are refused.
std::vector<Tensor> map(const EvaluateContext& ctx, const RealMap& real, const IntMap& integer = nullptr);

/// How two elements combine. uint64 elements arrive with their bits in int64; `is_unsigned` says so where it matters.
struct Combination {
  std::function<double(double, double)> real;
  std::function<std::int64_t(std::int64_t, std::int64_t, bool is_unsigned)> integer;
};
Tensor combine(const EvaluateContext& ctx, const Tensor& a, const Tensor& b, DType out, const Combination& rule);
/// combine() over input 0 and 1 with the type of input 0.
std::vector<Tensor> combine_two(const EvaluateContext& ctx, const Combination& rule);
/// combine() folded over all inputs from the left (Max, Min, Sum).
std::vector<Tensor> combine_all(const EvaluateContext& ctx, const Combination& rule);
/// combine_two() with a bool result.
std::vector<Tensor> compare(const EvaluateContext& ctx, const Combination& rule);

}  // namespace pare::ir::ops
