#include "passes/own_vectors.h"

#include <algorithm>
#include <map>
#include <set>

namespace pare::passes {
namespace {

bool is_vector(const Tensor& tensor) {
  std::int64_t longest = 1;
  for (const std::int64_t dim : tensor.dims()) longest = std::max(longest, dim);
  return tensor.numel() > 1 && tensor.numel() == longest;
}

bool alike(const ir::Value& a, const ir::Value& b) {
  if (!a.constant->identical(*b.constant) || a.mask.has_value() != b.mask.has_value()) return false;
  return !a.mask || a.mask->identical(*b.mask);
}

}  // namespace

std::vector<VectorCopy> own_vectors(ir::Model& model) {
  ir::Graph& graph = model.graph;
  std::set<std::string> captured;
  for (const std::string& name : graph.captured_names()) captured.insert(name);
  std::vector<VectorCopy> copies;
  for (const ir::ValueId id : graph.values()) {
    const ir::Value& value = graph.value(id);
    if (!value.constant || value.producer != ir::kNoNode || !is_float(value.constant->dtype()) ||
        !is_vector(*value.constant) || graph.is_output(id) || captured.count(value.name))
      continue;
    const std::vector<ir::NodeId> readers = value.consumers;
    std::set<ir::NodeId> seen;
    for (const ir::NodeId reader : readers) {
      if (!seen.insert(reader).second || seen.size() == 1) continue;
      const ir::ValueId copy = graph.add_initializer(value.name, *value.constant);
      graph.value(copy).mask = value.mask;
      const std::vector<ir::ValueId> inputs = graph.node(reader).inputs;
      for (std::size_t slot = 0; slot < inputs.size(); ++slot)
        if (inputs[slot] == id) graph.set_input(reader, slot, copy);
      copies.push_back({graph.value(copy).name, value.name});
    }
  }
  return copies;
}

void share_vectors(ir::Model& model, const std::vector<VectorCopy>& copies) {
  ir::Graph& graph = model.graph;
  std::map<std::string, std::vector<ir::ValueId>> kept;  // by what they are copies of
  for (const VectorCopy& copy : copies) {
    const ir::ValueId id = graph.find_value(copy.name), first = graph.find_value(copy.of);
    if (id == ir::kNoValue || !graph.value(id).constant) continue;
    std::vector<ir::ValueId>& others = kept[copy.of];
    if (others.empty() && first != ir::kNoValue && graph.value(first).constant) others.push_back(first);
    const auto equal = std::find_if(others.begin(), others.end(),
                                    [&](ir::ValueId other) { return alike(graph.value(other), graph.value(id)); });
    if (equal == others.end()) {
      others.push_back(id);
      continue;
    }
    graph.replace_uses(id, *equal);
    graph.erase_value(id);
  }
}

}  // namespace pare::passes
