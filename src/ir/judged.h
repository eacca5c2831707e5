// Which output of a model its quality is taken from.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace pare::ir {

/// Outputs of floats that have an axis beyond the batch, then other float outputs, each in order of the graph.
std::vector<ValueId> judgeable_outputs(const Graph& graph);

/// The one named, or the first of judgeable_outputs() for "". Error(kUnsupported) when there is none or none of that
/// name.
ValueId judged_output(const Graph& graph, const std::string& chosen = {});

}  // namespace pare::ir
