// Activations that are not finite: one check and one message wherever they are gathered.
#pragma once

#include <string>

#include "ir/graph.h"
#include "pare/error.h"

namespace pare::compress {

/// What to throw: Error(kBadInput) naming the layer that makes `value` (or the model's input), the tensor, and how many
/// of its elements are NaN or infinite.
Error not_finite(const ir::Graph& graph, const std::string& value, const Tensor& tensor);

/// Throws it when an element of `tensor`, seen of `value` on samples, is not finite. Only float32 is looked at.
void require_finite(const ir::Graph& graph, const std::string& value, const Tensor& tensor);

}  // namespace pare::compress
