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

/// The declaration of y[i] = f(x[i]) on floats.
Operator unary_declaration(std::string_view type, std::int64_t since, std::vector<std::string_view> attributes,
                           std::vector<Tensor> (*evaluate)(const EvaluateContext&));
/// Without attributes: F is a named function of the operator's file.
template <double (*F)(double)>
Operator unary_operator(std::string_view type, std::int64_t since) {
  return unary_declaration(type, since, {}, [](const EvaluateContext& ctx) { return map(ctx, F); });
}
/// Make reads the attributes and returns the map.
template <RealMap (*Make)(const Node&)>
Operator unary_operator(std::string_view type, std::int64_t since, std::vector<std::string_view> attributes) {
  return unary_declaration(type, since, std::move(attributes),
                           [](const EvaluateContext& ctx) { return map(ctx, Make(ctx.node)); });
}

/// y[i] = f(x[i]) as bools, whatever the float type.
std::vector<Tensor> test_each(const EvaluateContext& ctx, bool (*test)(const Node&, double));
/// The declaration of a bool function of floats; kTest is a named function of the operator's file.
template <bool (*kTest)(const Node&, double)>
Operator predicate_operator(std::string_view type, std::int64_t since, std::vector<std::string_view> attributes) {
  Operator out = unary_declaration(type, since, std::move(attributes),
                                   [](const EvaluateContext& ctx) { return test_each(ctx, kTest); });
  out.infer = infer_comparison;
  return out;
}

/// How two elements combine. uint64 elements arrive with their bits in int64; `is_unsigned` says so where it matters.
struct Combination {
  std::function<double(double, double)> real;
  std::function<std::int64_t(std::int64_t, std::int64_t, bool is_unsigned)> integer;
};
Tensor combine(const EvaluateContext& ctx, const Tensor& a, const Tensor& b, DType out, const Combination& rule);
/// combine() over input 0 and 1 with the type of input 0.
std::vector<Tensor> combine_two(const EvaluateContext& ctx, const Combination& rule);
/// combine_two() of integers; other types are refused.
std::vector<Tensor> combine_integers(
    const EvaluateContext& ctx, const std::function<std::int64_t(std::int64_t, std::int64_t, bool is_unsigned)>& rule);
/// combine() folded over all inputs from the left (Max, Min, Sum).
std::vector<Tensor> combine_all(const EvaluateContext& ctx, const Combination& rule);
/// combine_two() with a bool result.
std::vector<Tensor> compare(const EvaluateContext& ctx, const Combination& rule);

/// The declaration of y[i] = kRule(a[i], b[i]) with broadcasting and the type of the inputs.
Operator binary_declaration(std::string_view type, std::int64_t since, std::vector<std::string_view> attributes,
                            std::vector<Tensor> (*evaluate)(const EvaluateContext&));

}  // namespace pare::ir::ops
