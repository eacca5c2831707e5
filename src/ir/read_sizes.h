// Which sizes of a value the graph reads as numbers, through a Shape node.
#pragma once

#include <cstdint>
#include <set>

#include "ir/graph.h"

namespace pare::ir {

/// The axes whose sizes the readers of `shape` (a Shape node whose input has `rank` axes) may get: those that a Gather
/// or a Slice with constant bounds picks, all that the node gives where another reader is among them or it is a graph
/// output.
std::set<std::int64_t> read_sizes(const Graph& graph, const Node& shape, std::int64_t rank);

}  // namespace pare::ir
