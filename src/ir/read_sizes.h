// Which sizes of a value the graph reads as numbers, through a Shape node.
#pragma once

#include <cstdint>
#include <set>

#include "ir/graph.h"

namespace pare::ir {

/// The value whose whole shape `sizes` is (the output of a Shape node); kNoValue when it is none.
ValueId measured_whole(const Graph& graph, ValueId sizes);

/// The axes whose sizes the readers of `shape` (a Shape node whose input has `rank` axes) may get: those that a Gather
/// or a Slice with constant bounds picks, all that the node gives where another reader is among them or it is a graph
/// output. A Reshape or Expand to the very shape (measured_whole) reads none as a number: its result is as large.
std::set<std::int64_t> read_sizes(const Graph& graph, const Node& shape, std::int64_t rank);

}  // namespace pare::ir
