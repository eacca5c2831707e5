// Product → QuantizeLinear → DequantizeLinear → Add → [clamp →] QuantizeLinear as one group: the addition happens in the
// product's epilogue, with the rounding in between (kernels/qconv/qconv.h), and the sum is not written to memory and read
// again. Condition: nothing else reads the product's output, and what is added has the sum's shape or is a quantized
// constant of one element for each output, as exporters leave the bias of a MatMul.
#pragma once

#include "runtime/group.h"

namespace pare::runtime {

/// Replaces such pairs of integer groups by one that keeps them as its parts.
void join_additions(const ir::Graph& graph, std::vector<Group>& groups);

}  // namespace pare::runtime
