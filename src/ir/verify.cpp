#include "ir/verify.h"

#include <algorithm>
#include <set>

#include "ir/op.h"
#include "pare/error.h"

namespace pare::ir {

namespace {

class Verifier {
 public:
  Verifier(const Model& model, std::vector<std::string>& broken) : model_(model), broken_(broken) {}

  void run(const Graph& graph) {
    check_links(graph);
    check_order(graph);
    check_outputs(graph);
    for (NodeId id : graph.nodes()) check_operator(graph.node(id));
  }

 private:
  void complain(std::string rule) { broken_.push_back(std::move(rule)); }

  void check_links(const Graph& graph) {
    for (ValueId id : graph.values()) {
      const Value& value = graph.value(id);
      const std::string who = "value '" + value.name + "'";
      if (value.producer != kNoNode && (graph.is_input(id) || value.constant))
        complain(who + " is both produced by node '" + graph.node(value.producer).name +
                 "' and an input or initializer");
      for (NodeId consumer : value.consumers)
        if (!graph.has_node(consumer)) complain(who + " lists a consumer that does not exist");
      if (value.constant &&
          (value.constant->dtype() != value.dtype || !(value.shape == Shape::of(value.constant->dims()))))
        complain(who + " has a constant that contradicts its type");
      if (value.mask && (!value.constant || value.mask->dims() != value.constant->dims()))
        complain(who + " has a mask of another shape than its constant");
    }
  }

  void check_order(const Graph& graph) {
    std::set<ValueId> defined;
    for (ValueId id : graph.values()) {
      const Value& value = graph.value(id);
      if (graph.is_input(id) || value.constant || value.captured) defined.insert(id);
    }
    for (NodeId id : graph.nodes()) {
      const Node& node = graph.node(id);
      for (ValueId input : node.inputs) {
        if (input == kNoValue || defined.contains(input)) continue;
        const Value& value = graph.value(input);
        const bool later = value.producer != kNoNode;
        complain("node '" + node.name + "' reads '" + value.name + "', which " +
                 (later ? "is produced only later" : "nothing produces"));
        defined.insert(input);  // said once
      }
      for (ValueId output : node.outputs)
        if (output != kNoValue && !defined.insert(output).second)
          complain("value '" + graph.value(output).name + "' is produced twice (again by node '" + node.name + "')");
    }
  }

  void check_outputs(const Graph& graph) {
    for (ValueId id : graph.outputs) {
      const Value& value = graph.value(id);
      if (value.producer == kNoNode && !value.constant && !value.captured && !graph.is_input(id))
        complain("graph output '" + value.name + "' is produced by no node");
    }
  }

  void check_operator(const Node& node) {
    const std::int64_t opset = model_.opset(node.domain);
    const bool local = std::any_of(model_.functions.begin(), model_.functions.end(), [&](const Function& f) {
      return f.name == node.op_type && f.domain == node.domain;
    });
    if (opset == 0 && !local)
      complain("node '" + node.name + "' (" + node.op_type + ") uses domain '" + node.domain +
               "', which no opset import names");
    const Operator* op = local ? nullptr : find_operator(node, opset);
    if (!op) return;  // kept as it is; executors refuse it by name
    check_count(node, "inputs", node.inputs.size(), op->min_inputs, op->max_inputs);
    check_count(node, "outputs", node.outputs.size(), op->min_outputs, op->max_outputs);
    for (const auto& [name, attribute] : node.attributes)
      if (std::find(op->attributes.begin(), op->attributes.end(), name) == op->attributes.end())
        complain("node '" + node.name + "' (" + node.op_type + ") has unknown attribute '" + name + "'");
  }

  void check_count(const Node& node, const char* what, std::size_t count, int least, int most) {
    const auto n = static_cast<int>(count);
    if (n >= least && (most < 0 || n <= most)) return;
    const std::string range = most < 0        ? "at least " + std::to_string(least)
                              : least == most ? std::to_string(least)
                                              : std::to_string(least) + " to " + std::to_string(most);
    complain("node '" + node.name + "' (" + node.op_type + ") has " + std::to_string(n) + " " + what + ", expected " +
             range);
  }

  const Model& model_;
  std::vector<std::string>& broken_;
};

}  // namespace

std::vector<std::string> verify(const Model& model) {
  std::vector<std::string> broken;
  Verifier verifier(model, broken);
  verifier.run(model.graph);
  for (const Function& function : model.functions)
    if (!function.body) broken.push_back("function '" + function.name + "' has no body");
  return broken;
}

void require_valid(const Model& model, const std::string& subject) {
  const std::vector<std::string> broken = verify(model);
  if (broken.empty()) return;
  std::string problem = broken.front();
  if (broken.size() > 1) problem += " (and " + std::to_string(broken.size() - 1) + " more)";
  throw Error(ErrorCode::kBadInput, subject, problem);
}

}  // namespace pare::ir
