#include <algorithm>

#include "ir/infer.h"
#include "ir/refusal.h"
#include "ir/subgraph.h"
#include "pare/error.h"

namespace pare::ir {
namespace {

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

}  // namespace

GraphRunner::GraphRunner(const Graph& graph, const Opsets& opsets) : graph_(graph) {
  const std::vector<ValueId> values = graph.values();
  uses_.resize(values.empty() ? 0 : static_cast<std::size_t>(values.back()) + 1);
  const auto use = [&](ValueId id) {
    if (id != kNoValue) ++uses_[static_cast<std::size_t>(id)];
  };
  for (NodeId id : graph.nodes()) {
    const Node& node = graph.node(id);
    const auto opset = opsets.find(node.domain);
    Step step{&node, nullptr, opset == opsets.end() ? 0 : opset->second, {}};
    step.op = find_operator(node, step.opset);
    if (step.op == nullptr) refuse(graph, node, step.opset, why_unknown(node, step.opset));
    if (has_subgraph(node) && !captures_are_lifted(node)) step.captured = captures(node);
    for (ValueId input : node.inputs) use(input);
    for (const std::string& name : step.captured) use(graph.find_value(name));
    steps_.push_back(std::move(step));
  }
  for (ValueId id : graph.outputs) use(id);
}

const Tensor& GraphRunner::get(const std::string& name, const std::vector<Tensor>& live, const Around& around) const {
  const ValueId id = graph_.find_value(name);
  if (id != kNoValue) return get(id, live, around);
  const auto found = around.find(name);
  if (found == around.end()) throw Error(ErrorCode::kBadInput, "value '" + name + "'", "nothing produces it");
  return found->second;
}

const Tensor& GraphRunner::get(ValueId id, const std::vector<Tensor>& live, const Around& around) const {
  const Value& value = graph_.value(id);
  if (value.constant) return *value.constant;
  const Tensor& tensor = live[static_cast<std::size_t>(id)];
  if (tensor.defined()) return tensor;
  const auto found = around.find(value.name);
  if (!value.captured || found == around.end())
    throw Error(ErrorCode::kBadInput, "value '" + value.name + "'", "nothing produces it");
  return found->second;
}

void GraphRunner::run_step(const Step& step, std::vector<Tensor>& live, std::vector<int>& uses,
                           const Around& around) const {
  const Node& node = *step.node;
  std::vector<Tensor> tensors;
  for (ValueId id : node.inputs) tensors.push_back(id == kNoValue ? Tensor() : get(id, live, around));
  for (const std::string& name : step.captured) tensors.push_back(get(name, live, around));
  std::vector<Tensor> results = step.op->evaluate(EvaluateContext{node, step.opset, tensors});
  for (std::size_t slot = 0; slot < node.outputs.size(); ++slot) {
    const ValueId id = node.outputs[slot];
    if (id == kNoValue) continue;
    if (slot >= results.size()) refuse(graph_, node, step.opset, "output " + std::to_string(slot) + " is not computed");
    if (uses[static_cast<std::size_t>(id)] > 0) live[static_cast<std::size_t>(id)] = std::move(results[slot]);
  }
  const auto release = [&](ValueId id) {
    if (id != kNoValue && --uses[static_cast<std::size_t>(id)] == 0) live[static_cast<std::size_t>(id)] = {};
  };
  for (ValueId id : node.inputs) release(id);
  for (const std::string& name : step.captured) release(graph_.find_value(name));
}

std::vector<Tensor> GraphRunner::run(std::span<const Tensor> inputs, const Around& around) const {
  if (SubgraphEngine* engine = SubgraphScope::current())
    if (auto outputs = engine->run(graph_, inputs, around)) return *std::move(outputs);
  std::vector<Tensor> live(uses_.size());
  std::vector<int> uses = uses_;
  for (std::size_t i = 0; i < graph_.inputs.size(); ++i) live[static_cast<std::size_t>(graph_.inputs[i])] = inputs[i];
  for (const Step& step : steps_) run_step(step, live, uses, around);
  std::vector<Tensor> outputs;
  for (ValueId id : graph_.outputs) outputs.push_back(get(id, live, around));
  return outputs;
}

NamedTensors evaluate(const Model& model, const NamedTensors& inputs) {
  const Graph& graph = model.graph;
  for (const auto& [input, tensor] : inputs) {
    if (!graph.is_input(graph.find_value(input)))
      throw Error(ErrorCode::kBadInput, "input '" + input + "'", "the model has no such input");
  }
  std::vector<Tensor> tensors;
  for (ValueId id : graph.inputs) {
    const Value& value = graph.value(id);
    const auto given = inputs.find(value.name);
    if (given == inputs.end()) throw Error(ErrorCode::kBadInput, "input '" + value.name + "'", "no tensor was given");
    check_input(value, given->second);
    tensors.push_back(given->second);
  }
  const std::vector<Tensor> results = GraphRunner(graph, model.opsets).run(tensors);
  NamedTensors outputs;
  for (std::size_t i = 0; i < results.size(); ++i) outputs[graph.value(graph.outputs[i]).name] = results[i];
  return outputs;
}

}  // namespace pare::ir
