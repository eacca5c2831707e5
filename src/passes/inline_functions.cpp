// y = F(x, a = 1), F a local function of the file   →   the nodes of F's body, reading x and writing y
//
// Inside the body, an attribute that refers to the function's `a` takes the call's value, else the function's default,
// else it is left out; what reads an omitted input reads nothing. Values and nodes get names that no graph of the model
// has. Functions may call functions and hold subgraphs (ONNX IR.md, "Functions"); one that calls itself, directly or
// through others, is an error, as is a set of functions that grows past kMostNodes. Everything is brought to the newest
// operator set that the model or a function imports. A local function wins over an operator of the same name.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "ir/op.h"
#include "pare/error.h"
#include "passes/body_copy.h"
#include "passes/pass.h"
#include "passes/qdq.h"
#include "passes/rewrite.h"

namespace pare::passes {
namespace {

using ir::Function;
using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::ValueId;

constexpr std::int64_t kMostNodes = 1'000'000;

std::string name_of(const Function& function) {
  std::string text = function.domain.empty() ? function.name : function.domain + "." + function.name;
  return function.overload.empty() ? text : text + ":" + function.overload;
}

class Functions {
 public:
  explicit Functions(const std::vector<Function>& all) {
    for (const Function& function : all) index_[{function.domain, function.name, function.overload}] = &function;
    for (const Function& function : all) size(function);
  }

  const Function* find(const Node& node) const {
    const auto found = index_.find({node.domain, node.op_type, node.overload});
    return found == index_.end() ? nullptr : found->second;
  }

  /// Nodes that a call becomes when all calls in it are replaced, too.
  std::int64_t size(const Function& function) {
    if (const auto known = sizes_.find(&function); known != sizes_.end()) return known->second;
    if (const auto open = std::find(open_.begin(), open_.end(), &function); open != open_.end()) {
      std::vector<std::string> path;
      std::transform(open, open_.end(), std::back_inserter(path), [](const Function* f) { return name_of(*f); });
      path.push_back(name_of(function));
      throw Error(ErrorCode::kBadInput, "function '" + name_of(function) + "'", "calls itself: " + join(path, " → "),
                  "functions without recursion");
    }
    if (!function.body) throw Error(ErrorCode::kBadInput, "function '" + name_of(function) + "'", "has no body");
    open_.push_back(&function);
    const std::int64_t total = count(*function.body);
    open_.pop_back();
    return sizes_[&function] = total;
  }

  /// Nodes of a graph once all calls are replaced; throws past the limit.
  std::int64_t count(const Graph& graph) {
    std::int64_t total = 0;
    ir::for_each_node(graph, [&](const Node& node) {
      const Function* called = find(node);
      total += called != nullptr ? size(*called) : 1;
      if (total > kMostNodes)
        throw Error(ErrorCode::kUnsupported, ir::describe(node), "the functions expand to too many nodes",
                    "at most " + std::to_string(kMostNodes));
    });
    return total;
  }

 private:
  std::map<std::tuple<std::string, std::string, std::string>, const Function*> index_;
  std::map<const Function*, std::int64_t> sizes_;
  std::vector<const Function*> open_;
};

class Inliner {
 public:
  explicit Inliner(ir::Model& model) : model_(model), functions_(model.functions), names_(model.graph) {}

  int run() {
    functions_.count(model_.graph);
    raise_model();
    return run_graph(model_.graph);
  }

 private:
  void raise_model() {
    std::set<const Function*> called;
    collect(model_.graph, called);
    target_ = model_.opset();
    for (const Function* function : called) {
      for (const auto& [domain, version] : function->opsets) {
        std::int64_t& known = model_.opsets[domain];
        if (!domain.empty()) known = std::max(known, version);
        if (domain.empty()) target_ = std::max(target_, version);
      }
    }
    if (model_.opset() == 0) model_.opsets[""] = target_;
    raise_opset(model_, target_);
  }

  void collect(const Graph& graph, std::set<const Function*>& called) const {
    ir::for_each_node(graph, [&](const Node& node) {
      const Function* function = functions_.find(node);
      if (function != nullptr && called.insert(function).second) collect(*function->body, called);
    });
  }

  /// The body in the operator set of the model.
  const Graph& body_of(const Function& function) {
    const auto own = function.opsets.find("");
    if (own == function.opsets.end() || own->second >= target_) return *function.body;
    std::shared_ptr<Graph>& raised = raised_[&function];
    if (!raised) {
      ir::Model alone;
      alone.graph = *function.body;
      alone.opsets = function.opsets;
      raise_opset(alone, target_);
      raised = std::make_shared<Graph>(std::move(alone.graph));
    }
    return *raised;
  }

  int run_graph(Graph& graph) {
    int count = 0;
    std::vector<NodeId> open = graph.nodes();
    while (!open.empty()) {
      const NodeId id = open.back();
      open.pop_back();
      if (const Function* function = functions_.find(graph.node(id))) {
        const std::vector<NodeId> added = splice(graph, id, *function);
        open.insert(open.end(), added.begin(), added.end());
        ++count;
      } else {
        count += run_subgraphs(graph.node(id));
      }
    }
    return count;
  }

  int run_subgraphs(Node& node) {
    int count = 0;
    for (auto& [name, attribute] : node.attributes) {
      if (auto* one = std::get_if<std::shared_ptr<Graph>>(&attribute.value)) count += run_shared(*one);
      if (auto* many = std::get_if<std::vector<std::shared_ptr<Graph>>>(&attribute.value))
        for (std::shared_ptr<Graph>& graph : *many) count += run_shared(graph);
    }
    return count;
  }

  /// Copies of a model share subgraphs: a changed one is a new one.
  int run_shared(std::shared_ptr<Graph>& graph) {
    if (!graph) return 0;
    auto changed = std::make_shared<Graph>(*graph);
    const int count = run_graph(*changed);
    if (count > 0) graph = std::move(changed);
    return count;
  }

  static void check_arity(const Node& call, const Graph& body) {
    const auto check = [&](const char* what, std::size_t given, std::size_t declared) {
      if (given > declared)
        throw Error(ErrorCode::kBadInput, ir::describe(call),
                    std::string("the function takes fewer ") + what + " than the call gives",
                    "at most " + std::to_string(declared), std::to_string(given));
    };
    check("inputs", call.inputs.size(), body.inputs.size());
    check("outputs", call.outputs.size(), body.outputs.size());
  }

  std::vector<NodeId> splice(Graph& graph, NodeId id, const Function& function) {
    const Graph& body = body_of(function);
    const Node call = graph.node(id);
    check_arity(call, body);
    BodyCopy copy(graph, body, call.name, names_);
    for (std::size_t slot = 0; slot < body.inputs.size(); ++slot) copy.bind(body.inputs[slot], call.input(slot));
    return copy.splice(id, [&](ir::Attributes& attributes) { substitute(attributes, call, function); });
  }

  static void substitute(ir::Attributes& attributes, const Node& call, const Function& function) {
    for (auto it = attributes.begin(); it != attributes.end();) {
      const std::string reference = it->second.reference;
      const auto given = call.attributes.find(reference);
      const auto fallback = function.attribute_defaults.find(reference);
      if (reference.empty()) {
        ++it;
      } else if (given != call.attributes.end()) {
        (it++)->second = given->second;
      } else if (fallback != function.attribute_defaults.end()) {
        (it++)->second = fallback->second;
      } else {
        it = attributes.erase(it);
      }
    }
  }

  ir::Model& model_;
  Functions functions_;
  Names names_;
  std::int64_t target_ = 0;
  std::map<const Function*, std::shared_ptr<Graph>> raised_;
};

/// Imports of domains that only named the functions.
void drop_imports(ir::Model& model, const std::vector<Function>& functions) {
  std::set<std::string> used = {""};
  ir::for_each_node(model.graph, [&](const Node& node) { used.insert(node.domain); });
  for (const Function& function : functions)
    if (!used.contains(function.domain)) model.opsets.erase(function.domain);
}

int run(ir::Model& model) {
  if (model.functions.empty()) return 0;
  ir::Model inlined = model;
  const int count = Inliner(inlined).run();
  const std::vector<Function> functions = std::move(inlined.functions);
  inlined.functions.clear();
  drop_imports(inlined, functions);
  model = std::move(inlined);
  return count;
}

}  // namespace

void require_no_recursion(const ir::Model& model) { const Functions all(model.functions); }

extern const Pass k_inline_functions;
const Pass k_inline_functions{"inline_functions", "calls of local functions → their bodies", run};

}  // namespace pare::passes
