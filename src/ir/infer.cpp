#include "ir/infer.h"

#include <algorithm>

#include "base/text.h"
#include "ir/propagate.h"
#include "ir/subgraph.h"
#include "pare/error.h"

namespace pare::ir {
namespace {

/// Facts by value id.
class Facts {
 public:
  explicit Facts(const Graph& graph) {
    const std::vector<ValueId> ids = graph.values();
    if (!ids.empty()) facts_.resize(static_cast<std::size_t>(ids.back()) + 1);
    for (ValueId id : ids) at(id) = declared_facts(graph.value(id));
  }
  ValueFacts& at(ValueId id) {
    const auto index = static_cast<std::size_t>(id);
    if (index >= facts_.size()) facts_.resize(index + 1);
    return facts_[index];
  }
  std::vector<ValueFacts> of(const std::vector<ValueId>& ids) {
    std::vector<ValueFacts> out;
    for (ValueId id : ids) out.push_back(id == kNoValue ? ValueFacts{} : at(id));
    return out;
  }
  std::vector<ValueFacts> take() { return std::move(facts_); }

 private:
  std::vector<ValueFacts> facts_;
};

using Around = std::map<std::string, ValueFacts>;

/// Facts of the node's inputs, then of what its subgraphs capture (subgraph.h).
std::vector<ValueFacts> inputs_of(const Graph& graph, const Node& node, Facts& facts, const Around& around) {
  std::vector<ValueFacts> inputs = facts.of(node.inputs);
  if (!has_subgraph(node) || captures_are_lifted(node)) return inputs;
  for (const std::string& name : captures(node)) {
    const ValueId id = graph.find_value(name);
    const auto outer = around.find(name);
    inputs.push_back(id != kNoValue ? facts.at(id) : outer != around.end() ? outer->second : ValueFacts{});
  }
  return inputs;
}

std::int64_t opset_of(const Opsets& opsets, const Node& node) {
  const auto found = opsets.find(node.domain);
  return found == opsets.end() ? 0 : found->second;
}

/// Visits the outputs of every node of a known operator with what was inferred of them.
template <class Visit>
void sweep(const Graph& graph, const Opsets& opsets, Facts& facts, const Around& around, Visit&& visit) {
  for (NodeId id : graph.nodes()) {
    const Node& node = graph.node(id);
    const std::int64_t opset = opset_of(opsets, node);
    const Operator* op = find_operator(node, opset);
    if (op == nullptr) continue;
    std::vector<ValueFacts> outputs = infer_node(node, *op, opset, inputs_of(graph, node, facts, around));
    for (std::size_t slot = 0; slot < outputs.size(); ++slot) {
      if (node.outputs[slot] != kNoValue) visit(node, node.outputs[slot], std::move(outputs[slot]));
    }
  }
}

/// A type that the file declares must agree with what follows from the operators; what an earlier run inferred gives
/// way.
void merge_declared(const Node& node, const Value& value, bool is_declared, ValueFacts& inferred) {
  const std::string what = "output '" + value.name + "' contradicts its declaration";
  if (inferred.dtype == DType::kUndefined) inferred.dtype = value.dtype;
  if (is_declared && value.dtype != DType::kUndefined && inferred.dtype != value.dtype) {
    throw Error(ErrorCode::kBadInput, describe(node), what, std::string(name(value.dtype)),
                std::string(name(inferred.dtype)));
  }
  if (!is_declared && inferred.shape.ranked()) return;
  const auto merged = merge(inferred.shape, value.shape);
  if (!merged && is_declared)
    throw Error(ErrorCode::kBadInput, describe(node), what, to_string(value.shape), to_string(inferred.shape));
  if (merged) inferred.shape = *merged;
}

/// Declared shapes may be stale for the present input shapes: they only fill in what is not known.
void take_over(Facts& facts, ValueId id, ValueFacts inferred) {
  const ValueFacts& declared = facts.at(id);
  if (inferred.dtype == DType::kUndefined) inferred.dtype = declared.dtype;
  if (const auto merged = merge(inferred.shape, declared.shape)) inferred.shape = *merged;
  facts.at(id) = std::move(inferred);
}

/// Symbols bound by the input shapes.
using Bindings = std::map<std::string, std::int64_t>;

void bind_symbols(const std::string& input, const Shape& declared, const Dims& given, Bindings& bindings) {
  const auto contradict = [&] {
    throw Error(ErrorCode::kBadInput, "input '" + input + "'", "shape contradicts the model", to_string(declared),
                to_string(Shape::of(given)));
  };
  if (!declared.ranked()) return;
  if (declared.rank() != static_cast<std::int64_t>(given.size())) contradict();
  for (std::int64_t axis = 0; axis < declared.rank(); ++axis) {
    const std::int64_t size = given[static_cast<std::size_t>(axis)];
    if (declared[axis].is_known() && declared[axis].value() != size) contradict();
    if (!declared[axis].is_symbol()) continue;
    const auto [bound, fresh] = bindings.try_emplace(declared[axis].name(), size);
    if (!fresh && bound->second != size) {
      throw Error(ErrorCode::kBadInput, "input '" + input + "'", "dimension '" + bound->first + "' has two sizes",
                  std::to_string(bound->second), std::to_string(size));
    }
  }
}

void substitute(Shape& shape, const Bindings& bindings) {
  if (!shape.ranked()) return;
  for (Dim& dim : shape.dims()) {
    if (const auto bound = bindings.find(dim.name()); dim.is_symbol() && bound != bindings.end())
      dim = Dim(bound->second);
  }
}

ValueId find_input(const Model& model, const std::string& wanted) {
  std::vector<std::string> names;
  for (ValueId id : model.graph.inputs) {
    names.push_back(model.graph.value(id).name);
    if (names.back() == wanted) return id;
  }
  throw Error(ErrorCode::kBadInput, "input '" + wanted + "'",
              "the model has no such input" + did_you_mean(wanted, names), join(names, ", "));
}

}  // namespace

void infer_shapes(Model& model) {
  Graph& graph = model.graph;
  Facts facts(graph);
  sweep(model.graph, model.opsets, facts, {}, [&](const Node& node, ValueId id, ValueFacts inferred) {
    Value& value = graph.value(id);
    const bool is_declared = value.has_value_info || std::ranges::find(graph.outputs, id) != graph.outputs.end();
    merge_declared(node, value, is_declared, inferred);
    value.dtype = inferred.dtype;
    value.shape = inferred.shape;
    complete_facts(inferred);
    facts.at(id) = std::move(inferred);
  });
}

std::vector<ValueFacts> infer_for(const Model& model, const std::map<std::string, Dims>& input_shapes) {
  Facts facts(model.graph);
  Bindings bindings;
  for (const auto& [input, dims] : input_shapes) {
    const ValueId id = find_input(model, input);
    bind_symbols(input, facts.at(id).shape, dims, bindings);
    facts.at(id).shape = Shape::of(dims);
  }
  for (ValueId id : model.graph.values()) substitute(facts.at(id).shape, bindings);
  sweep(model.graph, model.opsets, facts, {},
        [&](const Node&, ValueId id, ValueFacts inferred) { take_over(facts, id, std::move(inferred)); });
  return facts.take();
}

std::vector<ValueFacts> infer_graph(const Graph& graph, const Opsets& opsets, std::span<const ValueFacts> inputs,
                                    const std::map<std::string, ValueFacts>& around) {
  Facts facts(graph);
  for (ValueId id : graph.values()) {
    const auto outer = around.find(graph.value(id).name);
    if (graph.value(id).captured && outer != around.end()) facts.at(id) = outer->second;
  }
  for (std::size_t i = 0; i < std::min(inputs.size(), graph.inputs.size()); ++i)
    take_over(facts, graph.inputs[i], inputs[i]);
  sweep(graph, opsets, facts, around,
        [&](const Node&, ValueId id, ValueFacts inferred) { take_over(facts, id, std::move(inferred)); });
  return facts.of(graph.outputs);
}

std::map<std::string, Dims> input_shapes_for(const Model& model, std::int64_t batch,
                                             const std::map<std::string, Dims>& overrides) {
  for (const auto& [input, dims] : overrides) find_input(model, input);
  std::map<std::string, Dims> out;
  for (ValueId id : model.graph.inputs) {
    const Value& value = model.graph.value(id);
    if (const auto given = overrides.find(value.name); given != overrides.end()) {
      out[value.name] = given->second;
      continue;
    }
    const auto refuse = [&] {
      throw Error(ErrorCode::kBadInput, "input '" + value.name + "'",
                  "shape is not fixed by the model; give it with --shape " + value.name + "=…", "numbers",
                  to_string(value.shape));
    };
    if (!value.shape.ranked()) refuse();
    Dims dims;
    for (std::int64_t axis = 0; axis < value.shape.rank(); ++axis) {
      const Dim& dim = value.shape[axis];
      if (!dim.is_known() && axis > 0 && !dim.same_as(value.shape[0])) refuse();
      dims.push_back(dim.is_known() ? dim.value() : batch);
    }
    out[value.name] = std::move(dims);
  }
  return out;
}

}  // namespace pare::ir
