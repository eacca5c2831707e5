#include "runtime/lookups.h"

#include <map>
#include <optional>
#include <string>

#include "ir/op.h"
#include "ir/pare_domain.h"
#include "runtime/activation.h"
#include "runtime/group.h"

namespace pare::runtime {

namespace {

using ir::Graph;
using ir::kNoNode;
using ir::kNoValue;
using ir::NodeId;
using ir::ValueId;

/// A value of which each element follows from that of `root`, an 8-bit tensor of the same shape, through so many
/// operators.
struct Function {
  ValueId root;
  std::int64_t operators;
};

class Folder {
 public:
  explicit Folder(ir::Model& model) : model_(model), graph_(model.graph) {}

  void run() {
    const std::vector<NodeId> order = graph_.nodes();
    for (NodeId id : order) visit(id);
    for (NodeId id : order) {
      const auto quantized = quantized_by(graph_, id);
      const auto found = quantized ? functions_.find(quantized->q) : functions_.end();
      if (found != functions_.end() && found->second.operators > 0) replace(id, found->second);
    }
    model_.opsets.try_emplace(std::string(ir::kPareDomain), 1);
    graph_.erase_dead();
  }

 private:
  /// One element that does not depend on the model's inputs.
  bool is_scalar(ValueId value) const {
    if (const auto quantized = quantized_activation(graph_, value)) value = quantized->q;
    const Tensor* constant = graph_.constant(value);
    return constant && constant->numel() == 1;
  }

  std::optional<Function> function_of(ValueId value) const {
    const auto found = functions_.find(value);
    return found == functions_.end() ? std::nullopt : std::optional(found->second);
  }

  void visit(NodeId id) {
    const ir::Node& node = graph_.node(id);
    if (const auto to = quantized_by(graph_, id); to && to->is_8_bit() && to->per_tensor()) {
      functions_[to->q] = function_of(node.input(0)).value_or(Function{to->q, 0});
      return;
    }
    if (node.outputs.size() != 1) return;
    const ValueId out = node.output(0);
    if (const auto from = quantized_activation(graph_, out)) {
      if (!graph_.constant(from->q)) functions_[out] = function_of(from->q).value_or(Function{from->q, 0});
      return;
    }
    if (!activation_of(model_, node) && !binary_of(node)) return;
    if (const auto function = combined(node)) functions_[out] = *function;
  }

  /// What an operator makes of functions of one root.
  std::optional<Function> combined(const ir::Node& node) const {
    const bool unary = !binary_of(node);
    std::optional<Function> result;
    for (std::size_t slot = 0; slot < (unary ? 1 : node.inputs.size()); ++slot) {
      const ValueId input = node.input(slot);
      if (!unary && is_scalar(input)) continue;
      const auto function = function_of(input);
      if (!function || (result && result->root != function->root)) return std::nullopt;
      result = Function{function->root, (result ? result->operators : 0) + function->operators};
    }
    if (!result || !(graph_.value(node.output(0)).shape == graph_.value(result->root).shape)) return std::nullopt;
    ++result->operators;
    return result;
  }

  void replace(NodeId id, const Function& function) {
    const ValueId out = graph_.node(id).output(0);
    const NodeId last = graph_.producer(graph_.node(id).input(0));
    const Tensor table = table_of(out, function.root);
    ir::Node node;
    node.op_type = "Lookup";
    node.domain = ir::kPareDomain;
    node.name = graph_.node(last == kNoNode ? id : last).name;
    node.set("operators", function.operators);
    node.inputs = {function.root, graph_.add_initializer(graph_.value(out).name + "/table", table)};
    graph_.set_output(id, 0, graph_.add_value(""));
    node.outputs = {out};
    graph_.add_node(std::move(node), id);
    graph_.erase_node(id);
    // Whatever else is a function of the same root may need this value: it is known.
    known_[{function.root, out}] = table;
  }

  Tensor table_of(ValueId value, ValueId root) {
    Tensor table = evaluate(value, root);
    return table.rank() == 1 ? table : table.reshaped({256});
  }

  /// The value where `root` holds each pattern of 8 bits, in order.
  Tensor evaluate(ValueId value, ValueId root) {
    if (const auto found = known_.find({root, value}); found != known_.end()) return found->second;
    if (const Tensor* constant = graph_.constant(value)) return *constant;
    Tensor result;
    if (value == root) {
      result = Tensor(graph_.value(root).dtype, {256});
      for (int i = 0; i < 256; ++i) result.mutable_raw()[i] = static_cast<std::byte>(i);
    } else {
      const ir::Node& node = graph_.node(graph_.producer(value));
      std::vector<Tensor> inputs;
      for (ValueId input : node.inputs) inputs.push_back(input == kNoValue ? Tensor() : evaluate(input, root));
      const std::int64_t opset = model_.opset(node.domain);
      result = ir::find_operator(node, opset)->evaluate(ir::EvaluateContext{node, opset, inputs})[0];
    }
    if (result.numel() == 256) result = result.reshaped({256});  // constants of several axes of one element add theirs
    known_[{root, value}] = result;
    return result;
  }

  ir::Model& model_;
  Graph& graph_;
  std::map<ValueId, Function> functions_;
  std::map<std::pair<ValueId, ValueId>, Tensor> known_;  ///< by root and value
};

}  // namespace

void fold_into_lookups(ir::Model& model) { Folder(model).run(); }

}  // namespace pare::runtime
