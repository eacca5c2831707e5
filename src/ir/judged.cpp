#include "ir/judged.h"

#include "pare/error.h"

namespace pare::ir {

std::vector<ValueId> judgeable_outputs(const Graph& graph) {
  std::vector<ValueId> found, flat;
  for (const ValueId id : graph.outputs) {
    const Value& value = graph.value(id);
    if (!is_float(value.dtype) || (value.shape.ranked() && value.shape.rank() == 0)) continue;
    (!value.shape.ranked() || value.shape.rank() >= 2 ? found : flat).push_back(id);
  }
  found.insert(found.end(), flat.begin(), flat.end());
  return found;
}

ValueId judged_output(const Graph& graph, const std::string& chosen) {
  const std::vector<ValueId> outputs = judgeable_outputs(graph);
  if (outputs.empty())
    throw Error(ErrorCode::kUnsupported, "model outputs", "no output of floats to judge", "one [N, classes]");
  if (chosen.empty()) return outputs.front();
  for (const ValueId id : outputs)
    if (graph.value(id).name == chosen) return id;
  throw Error(ErrorCode::kUnsupported, "output '" + chosen + "'", "the model has no such output of floats");
}

}  // namespace pare::ir
