#include <algorithm>

#include "ir/infer.h"
#include "pare/error.h"

namespace pare::ir {
namespace {

/// How many node inputs and graph outputs still want each value.
std::map<ValueId, int> count_uses(const Graph& graph) {
  std::map<ValueId, int> uses;
  for (NodeId id : graph.nodes()) {
    for (ValueId value : graph.node(id).inputs) ++uses[value];
  }
  for (ValueId value : graph.outputs) ++uses[value];
  return uses;
}

void check_input(const Value& value, const Tensor& tensor) {
  const std::string subject = "input '" + value.name + "'";
  if (value.dtype != DType::kUndefined && tensor.dtype() != value.dtype) {
    throw Error(ErrorCode::kBadInput, subject, "wrong element type", std::string(name(value.dtype)),
                std::string(name(tensor.dtype())));
  }
  if (!merge(value.shape, Shape::of(tensor.dims()))) {
    throw Error(ErrorCode::kBadInput, subject, "shape contradicts the model", to_string(value.shape),
                to_string(tensor.dims()));
  }
}

/// Values that are alive while the graph runs.
class Interpreter {
 public:
  Interpreter(const Model& model, const NamedTensors& inputs) : model_(model), uses_(count_uses(model.graph)) {
    for (const auto& [input, tensor] : inputs) {
      if (!model.graph.is_input(model.graph.find_value(input)))
        throw Error(ErrorCode::kBadInput, "input '" + input + "'", "the model has no such input");
    }
    for (ValueId id : model.graph.inputs) {
      const Value& value = model.graph.value(id);
      const auto given = inputs.find(value.name);
      if (given == inputs.end()) throw Error(ErrorCode::kBadInput, "input '" + value.name + "'", "no tensor was given");
      check_input(value, given->second);
      live_[id] = given->second;
    }
  }

  void run(const Node& node) {
    const std::int64_t opset = model_.opset(node.domain);
    const Operator* op = find_operator(node, opset);
    if (op == nullptr) throw Error(ErrorCode::kUnsupported, describe(node), why_unknown(node, opset));
    std::vector<Tensor> tensors;
    for (ValueId id : node.inputs) tensors.push_back(id == kNoValue ? Tensor() : get(id));
    std::vector<Tensor> results = op->evaluate(EvaluateContext{node, opset, tensors});
    for (std::size_t slot = 0; slot < node.outputs.size(); ++slot) {
      if (node.outputs[slot] == kNoValue) continue;
      if (slot >= results.size())
        throw Error(ErrorCode::kUnsupported, describe(node), "output " + std::to_string(slot) + " is not computed");
      if (uses_[node.outputs[slot]] > 0) live_[node.outputs[slot]] = std::move(results[slot]);
    }
    for (ValueId id : node.inputs) {
      if (id != kNoValue && --uses_[id] == 0) live_.erase(id);
    }
  }

  const Tensor& get(ValueId id) const {
    if (const Tensor* constant = model_.graph.constant(id)) return *constant;
    const auto found = live_.find(id);
    if (found == live_.end())
      throw Error(ErrorCode::kBadInput, "value '" + model_.graph.value(id).name + "'", "nothing produces it");
    return found->second;
  }

 private:
  const Model& model_;
  std::map<ValueId, int> uses_;
  std::map<ValueId, Tensor> live_;
};

}  // namespace

NamedTensors evaluate(const Model& model, const NamedTensors& inputs) {
  Interpreter interpreter(model, inputs);
  for (NodeId id : model.graph.nodes()) interpreter.run(model.graph.node(id));
  NamedTensors outputs;
  for (ValueId id : model.graph.outputs) outputs[model.graph.value(id).name] = interpreter.get(id);
  return outputs;
}

}  // namespace pare::ir
