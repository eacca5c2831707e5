// Rewrites of a runtime's private copy of a model: several nodes become one that has a kernel, whatever the model's
// operator set.
#pragma once

#include <optional>

#include "ir/model.h"

namespace pare::runtime {

/// Runs every row of fusions.inc once.
void run_fusions(ir::Model& model);

/// What rewrites share. The value of a constant f32 of one element.
std::optional<float> scalar_of(const ir::Graph& graph, ir::ValueId value);
/// |scalar - wanted| within f32 rounding of it.
bool is_scalar(const ir::Graph& graph, ir::ValueId value, float wanted);
/// The operand of a commutative node that is not `known`; kNoValue unless exactly one of two operands is.
ir::ValueId other_operand(const ir::Node& node, ir::ValueId known);
/// The operator reads `x` alone and writes what `last` wrote; what only `last` needed goes away.
void replace_by_unary(ir::Graph& graph, ir::NodeId last, const char* op_type, ir::ValueId x,
                      const char* approximate = nullptr);

}  // namespace pare::runtime
