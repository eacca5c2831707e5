// One sweep of inference over a graph: the engine under infer_shapes and infer_for.
#pragma once

#include <vector>

#include "ir/model.h"
#include "ir/op.h"

namespace pare::ir {

/// What is known of a value before inference: its declared type and its constant.
ValueFacts declared_facts(const Value& value);

/// Fills in elements from a constant and the constant from complete elements, where they are small.
void complete_facts(ValueFacts& facts);

/// Facts of a node's outputs from those of its inputs. Small results of constant inputs are evaluated.
/// `inputs` has one entry per input slot. Errors name the node.
std::vector<ValueFacts> infer_node(const Node& node, const Operator& op, std::int64_t opset,
                                   std::span<const ValueFacts> inputs);

}  // namespace pare::ir
