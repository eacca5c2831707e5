#include <algorithm>

#include "ir/infer.h"
#include "pare/error.h"

namespace pare::ir {
namespace {

void require_static(const Model& model, const Node& node, const std::vector<ValueId>& ids,
                    const std::vector<ValueFacts>& facts) {
  for (ValueId id : ids) {
    if (id == kNoValue || facts[static_cast<std::size_t>(id)].shape.is_static()) continue;
    throw Error(ErrorCode::kBadInput, describe(node),
                "shape of '" + model.graph.value(id).name + "' is not known for these inputs", "numbers",
                to_string(facts[static_cast<std::size_t>(id)].shape));
  }
}

std::vector<ValueFacts> collect(const std::vector<ValueId>& ids, const std::vector<ValueFacts>& facts) {
  std::vector<ValueFacts> out;
  for (ValueId id : ids) out.push_back(id == kNoValue ? ValueFacts{} : facts[static_cast<std::size_t>(id)]);
  return out;
}

}  // namespace

std::vector<NodeMacs> count_macs(const Model& model, const std::map<std::string, Dims>& input_shapes) {
  const std::vector<ValueFacts> facts = infer_for(model, input_shapes_for(model, 1, input_shapes));
  std::vector<NodeMacs> out;
  for (NodeId id : model.graph.nodes()) {
    const Node& node = model.graph.node(id);
    const Operator* op = find_operator(node, model.opset(node.domain));
    if (op == nullptr || op->macs == nullptr) continue;
    require_static(model, node, node.inputs, facts);
    require_static(model, node, node.outputs, facts);
    out.push_back({id, op->macs(node, collect(node.inputs, facts), collect(node.outputs, facts))});
  }
  return out;
}

}  // namespace pare::ir
