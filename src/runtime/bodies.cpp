#include "runtime/bodies.h"

#include <algorithm>

#include "pare/error.h"

namespace pare::runtime {

namespace {

/// After so many plans, more than one in two runs must find a plan that is there already.
constexpr std::int64_t kPatience = 16;

bool can_be_held(const Tensor& tensor) { return tensor.defined() && bits(tensor.dtype()) > 0; }

}  // namespace

Bodies::Bodies(const ir::Model& model, const ir::Node& node, const exec::CompileOptions& options, WeightCache& cache)
    : options_(options), cache_(cache), name_(node.name), captures_(ir::captures(node)) {
  options_.observed.clear();
  options_.simplified = false;  // as the graph around them may be, but not they
  around_.opsets = model.opsets;
  around_.functions = model.functions;
  std::size_t slot = ir::own_inputs(node);
  for (const std::string& name : captures_) {
    const ir::ValueId id = ir::captures_are_lifted(node) ? node.input(slot++) : model.graph.find_value(name);
    if (const Tensor* tensor = model.graph.constant(id)) constants_[name] = *tensor;
  }
  ir::for_each_subgraph(node, [&](const ir::Graph& graph) { bodies_[&graph]; });
}

void Bodies::compile(const ir::Graph& graph, std::span<const Tensor> inputs,
                     const std::map<std::string, Tensor>& around, Body& body) const {
  ir::Model model = around_;
  model.graph = graph;
  ir::Graph& g = model.graph;
  for (ir::ValueId id : g.values()) {
    if (g.value(id).constant) continue;
    g.value(id).shape = {};  // what holds for one iteration need not hold for the next
    g.value(id).has_value_info = false;
  }
  for (ir::NodeId id : g.nodes()) g.rename_node(id, name_ + "/" + g.node(id).name);
  for (std::size_t i = 0; i < g.inputs.size(); ++i) g.value(g.inputs[i]).dtype = inputs[i].dtype();
  for (ir::ValueId id : g.outputs) body.outputs.push_back(g.value(id).name);
  for (const std::string& name : captures_) {
    ir::ValueId id = g.find_value(name);
    if (id != ir::kNoValue && !g.value(id).captured) continue;  // the body's own
    if (id == ir::kNoValue) id = g.add_value(name);
    g.value(id).captured = false;
    if (const auto constant = constants_.find(name); constant != constants_.end()) {
      g.set_constant(id, constant->second);
      continue;
    }
    g.value(id).dtype = around.at(name).dtype();
    g.inputs.push_back(id);
    body.read.push_back(name);
  }
  body.stage = std::make_unique<Stage>(prepare(model, options_), std::vector<bool>{}, options_, cache_);
}

Bodies::Body& Bodies::ready(const ir::Graph& graph, std::span<const Tensor> inputs,
                            const std::map<std::string, Tensor>& around) {
  const std::lock_guard lock(mutex_);
  Body& body = bodies_.at(&graph);
  if (body.interpreted) return body;
  try {
    if (!body.stage) compile(graph, inputs, around, body);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    body.interpreted = true;
    return body;
  }
  const auto [made, asked] = body.stage->made_and_asked();
  body.interpreted = made > kPatience && 2 * made > asked;
  return body;
}

std::optional<std::vector<Tensor>> Bodies::run(const ir::Graph& graph, std::span<const Tensor> inputs,
                                               const std::map<std::string, Tensor>& around) {
  if (!bodies_.contains(&graph)) return std::nullopt;
  if (!std::all_of(inputs.begin(), inputs.end(), can_be_held)) return std::nullopt;
  for (const auto& [name, tensor] : around)
    if (!can_be_held(tensor)) return std::nullopt;
  Body& body = ready(graph, inputs, around);
  if (body.interpreted) return std::nullopt;
  std::vector<Tensor> given(inputs.begin(), inputs.end());
  for (const std::string& name : body.read) given.push_back(around.at(name));
  NamedTensors results;
  try {
    results = body.stage->run(given, nullptr);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    const std::lock_guard lock(mutex_);
    body.interpreted = true;
    return std::nullopt;
  }
  std::vector<Tensor> outputs;
  for (const std::string& name : body.outputs) outputs.push_back(results.at(name));
  return outputs;
}

}  // namespace pare::runtime
