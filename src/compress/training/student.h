// A copy of a model that is trained in the model's place: operators of domain pare (FakeQuantize, learned masks) stand
// in front of some of its values, and what these learn are initializers, parameters like all others. What is written
// in the end follows from the trained initializers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/model.h"

namespace pare::compress {

/// Adds a node of domain pare that nothing reads yet. It is called `base`_`type`, its outputs `base`_`suffix`.
ir::NodeId add_student_node(ir::Graph& graph, const std::string& base, const std::string& type,
                            std::vector<ir::ValueId> inputs, const std::vector<std::string>& suffixes);

/// Opset of the domain, order and shapes, after the last node.
void finish_student(ir::Model& student);

/// `original` with the float initializers that `student`, a copy of it with further nodes, has under the same ids.
ir::Model with_trained(const ir::Model& original, const ir::Model& student);

}  // namespace pare::compress
