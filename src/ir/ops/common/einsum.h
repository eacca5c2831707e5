// The equation of an Einsum node: labels of every axis of every operand and of the result.
#pragma once

#include <string>
#include <vector>

#include "ir/op.h"

namespace pare::ir::ops {

/// A letter, or kEllipsis + k for the k-th axis under "..." counted from its last.
using Label = int;
inline constexpr Label kEllipsis = 1000;
using Labels = std::vector<Label>;

struct Equation {
  std::vector<Labels> operands;
  Labels result;
};

/// Parses for operands of these ranks. Throws Error(kBadInput) through `ctx` when the equation does not fit them.
Equation parse_equation(const InferContext& ctx, const std::vector<std::int64_t>& ranks);
Equation parse_equation(const EvaluateContext& ctx, const std::vector<std::int64_t>& ranks);

}  // namespace pare::ir::ops
