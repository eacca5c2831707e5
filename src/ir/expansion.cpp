#include "ir/expansion.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/float16.h"
#include "ir/refusal.h"
#include "ir/subgraph.h"
#include "pare/error.h"

namespace pare::ir {
namespace {

/// The operator set in which an expansion stands alone (for inference and the reference).
constexpr std::int64_t kOpset = 23;

}  // namespace

std::vector<ValueId> Expansion::add_many(const std::string& type, std::vector<ValueId> inputs, std::size_t outputs,
                                         NamedAttributes attributes) {
  Node made;
  made.op_type = type;
  made.name = node_.name + "/" + type;
  made.inputs = std::move(inputs);
  while (!made.inputs.empty() && made.inputs.back() == kNoValue) made.inputs.pop_back();
  for (std::size_t i = 0; i < outputs; ++i) made.outputs.push_back(graph_.add_value(made.name + "_out"));
  for (auto& [name, value] : attributes) made.set(name, std::move(value));
  std::vector<ValueId> out = made.outputs;
  graph_.add_node(std::move(made), before_);
  return out;
}

ValueId Expansion::add(const std::string& type, std::vector<ValueId> inputs, NamedAttributes attributes) {
  return add_many(type, std::move(inputs), 1, std::move(attributes))[0];
}

ValueId Expansion::constant(Tensor tensor) {
  return graph_.add_initializer(node_.name + "/constant", std::move(tensor));
}

ValueId Expansion::ints(const std::vector<std::int64_t>& values) {
  return constant(Tensor::from({static_cast<std::int64_t>(values.size())}, values));
}

ValueId Expansion::scalar(double value, DType dtype) { return constant(cast(Tensor::scalar(value), dtype)); }

ValueId Expansion::reduce(const std::string& type, ValueId x, const std::vector<std::int64_t>& axes, bool keep) {
  const auto keepdims = std::int64_t{keep};
  if (opset_ >= (type == "ReduceSum" ? 13 : 18)) return add(type, {x, ints(axes)}, {{"keepdims", keepdims}});
  return add(type, {x}, {{"keepdims", keepdims}, {"axes", axes}});
}

ValueId Expansion::squeeze(const std::string& type, ValueId x, const std::vector<std::int64_t>& axes) {
  return opset_ >= 13 ? add(type, {x, ints(axes)}) : add(type, {x}, {{"axes", axes}});
}

std::vector<ValueId> Expansion::split(ValueId x, std::int64_t axis, const std::vector<std::int64_t>& sizes) {
  if (opset_ >= 13) return add_many("Split", {x, ints(sizes)}, sizes.size(), {{"axis", axis}});
  return add_many("Split", {x}, sizes.size(), {{"axis", axis}, {"split", sizes}});
}

ValueId Expansion::slice(ValueId x, std::int64_t axis, std::int64_t begin, std::int64_t end, std::int64_t step) {
  return add("Slice", {x, ints({begin}), ints({end}), ints({axis}), ints({step})});
}

ValueId Expansion::transpose(ValueId x, std::vector<std::int64_t> perm) {
  return add("Transpose", {x}, {{"perm", std::move(perm)}});
}

ValueId Expansion::reshape(ValueId x, const std::vector<std::int64_t>& dims) { return add("Reshape", {x, ints(dims)}); }

ValueId Expansion::fitted_zero_point(std::size_t scale, std::size_t zero_point) {
  if (!has(zero_point)) return kNoValue;
  const Shape &s = facts(scale).shape, &z = facts(zero_point).shape;
  if (!s.ranked() || !z.ranked() || s.rank() == z.rank()) {
    if (!s.ranked() || s.rank() == 0 || !z[0].is_known() || s[0].same_as(z[0])) return in(zero_point);
  }
  if (z.ranked() && s.rank() == 0) return squeeze("Squeeze", in(zero_point), {0});
  return add("Expand", {in(zero_point), add("Shape", {in(scale)})});
}

ValueId Expansion::dequantize(ValueId x, std::size_t scale, std::size_t zero_point, std::int64_t axis) {
  NamedAttributes attributes;
  if (opset_ >= 13) attributes.emplace_back("axis", axis);
  return add("DequantizeLinear", {x, in(scale), fitted_zero_point(scale, zero_point)}, std::move(attributes));
}

ValueId Expansion::quantize(ValueId x, std::size_t scale, std::size_t zero_point, std::int64_t axis) {
  NamedAttributes attributes;
  if (opset_ >= 13) attributes.emplace_back("axis", axis);
  return add("QuantizeLinear", {x, in(scale), fitted_zero_point(scale, zero_point)}, std::move(attributes));
}

std::int64_t Expansion::rank(std::size_t slot) const {
  if (!facts(slot).shape.ranked()) throw NotKnown{"the rank of input " + std::to_string(slot)};
  return facts(slot).shape.rank();
}

std::int64_t Expansion::size(std::size_t slot, std::int64_t axis) const {
  const std::int64_t axes = rank(slot);
  if (axis < -axes || axis >= axes)
    fail("input " + std::to_string(slot) + " has too few axes", {}, to_string(facts(slot).shape));
  const Dim& dim = facts(slot).shape[axis];
  if (!dim.is_known()) throw NotKnown{"axis " + std::to_string(axis) + " of input " + std::to_string(slot)};
  return dim.value();
}

const Tensor& Expansion::known(std::size_t slot) const {
  if (facts(slot).constant == nullptr) throw NotKnown{"the elements of input " + std::to_string(slot)};
  return *facts(slot).constant;
}

void Expansion::fail(const std::string& problem, const std::string& expected, const std::string& got) const {
  throw Error(ErrorCode::kBadInput, describe(node_), problem, expected, got);
}

void Expansion::unsupported(const std::string& what) const {
  std::vector<ValueFacts> none;
  refuse(InferContext{node_, opset_, facts_, none}, what + " is not supported");
}

namespace {

/// A graph of its own in which a node's expansion stands.
struct Alone {
  Graph graph;
  std::vector<ValueId> outputs;

  Alone(const Node& node, std::span<const ValueFacts> facts, Expand expand) {
    std::vector<ValueId> inputs;
    for (std::size_t slot = 0; slot < node.inputs.size(); ++slot) {
      const std::string name = "input" + std::to_string(slot);
      if (node.inputs[slot] == kNoValue)
        inputs.push_back(kNoValue);
      else if (facts[slot].constant != nullptr)
        inputs.push_back(graph.add_initializer(name, *facts[slot].constant));
      else
        inputs.push_back(graph.add_input(name, facts[slot].dtype, facts[slot].shape));
    }
    Expansion expansion(graph, node, kOpset, inputs, facts);
    expand(expansion);
    outputs = expansion.outputs();
    for (ValueId id : outputs)
      if (id != kNoValue) graph.outputs.push_back(id);
  }
};

Opsets opsets() { return {{"", kOpset}}; }

}  // namespace

namespace {

/// Of the first output: that of the first input, but what reads ids or 8 bits and gives floats has a float further on.
DType result_type(const InferContext& ctx) {
  const DType first = ctx.in(0).dtype;
  const ExpansionRow* row = find_expansion(ctx.node);
  if (is_float(first) || (row != nullptr && row->quantized)) return first;
  for (std::size_t slot = 1; slot < ctx.inputs.size(); ++slot)
    if (is_float(ctx.in(slot).dtype)) return ctx.in(slot).dtype;
  return first;
}

}  // namespace

void infer_by_expansion(InferContext& ctx, Expand expand) {
  try {
    const Alone alone(ctx.node, ctx.inputs, expand);
    const std::vector<ValueFacts> known = infer_graph(alone.graph, opsets(), {}, {});
    std::size_t next = 0;
    for (std::size_t slot = 0; slot < alone.outputs.size(); ++slot) {
      if (alone.outputs[slot] == kNoValue) continue;
      ctx.outputs[slot].dtype = known[next].dtype;
      ctx.outputs[slot].shape = known[next++].shape;
    }
  } catch (const NotKnown&) {
    ctx.outputs[0].dtype = result_type(ctx);  // the type still follows; a shape comes with the input's
  }
}

std::vector<Tensor> evaluate_by_expansion(const EvaluateContext& ctx, Expand expand) {
  std::vector<ValueFacts> facts(ctx.inputs.size());
  for (std::size_t slot = 0; slot < facts.size(); ++slot) {
    if (!ctx.has(slot)) continue;
    facts[slot] = {ctx.in(slot).dtype(), Shape::of(ctx.in(slot).dims()), &ctx.in(slot)};
  }
  try {
    const Alone alone(ctx.node, facts, expand);
    const std::vector<Tensor> results = GraphRunner(alone.graph, opsets()).run({});
    std::vector<Tensor> out;
    std::size_t next = 0;
    for (std::size_t slot = 0; slot < alone.outputs.size(); ++slot) {
      if (alone.outputs[slot] != kNoValue) {
        out.push_back(results[next++]);
        continue;
      }
      if (ctx.node.output(slot) != kNoValue) refuse(ctx, "output " + std::to_string(slot) + " is not computed");
      out.emplace_back();
    }
    return out;
  } catch (const NotKnown& unknown) {
    refuse(ctx, unknown.what + " is not known");
  }
}

std::int64_t macs_by_expansion(const Node& node, std::span<const ValueFacts> in, Expand expand) {
  try {
    Alone alone(node, in, expand);
    Graph& graph = alone.graph;
    // Every intermediate value as an output, so that one sweep gives the facts of all.
    graph.outputs = graph.values();
    const std::vector<ValueFacts> facts = infer_graph(graph, opsets(), {}, {});
    std::map<ValueId, ValueFacts> by_id;
    for (std::size_t i = 0; i < facts.size(); ++i) by_id[graph.outputs[i]] = facts[i];
    std::int64_t total = 0;
    for (NodeId id : graph.nodes()) {
      const Node& inner = graph.node(id);
      const Operator* op = find_operator(inner, kOpset);
      if (op == nullptr || op->macs == nullptr) continue;
      std::vector<ValueFacts> inputs, outputs;
      for (ValueId value : inner.inputs) inputs.push_back(value == kNoValue ? ValueFacts{} : by_id[value]);
      for (ValueId value : inner.outputs) outputs.push_back(by_id[value]);
      total += op->macs(inner, inputs, outputs);
    }
    return total;
  } catch (const NotKnown&) {
    return 0;
  }
}

namespace ops {
#define PARE_EXPANSION(type, since, quantized) \
  extern const Operator k##type;               \
  extern const Expand expand##type;
#include "ir/expansions.inc"
#undef PARE_EXPANSION
}  // namespace ops

const ExpansionRow* find_expansion(const Node& node) {
  static const ExpansionRow kRows[] = {
#define PARE_EXPANSION(type, since, quantized) {&ops::k##type, ops::expand##type, since, quantized},
#include "ir/expansions.inc"
#undef PARE_EXPANSION
  };
  const auto found = std::ranges::find_if(
      kRows, [&](const ExpansionRow& row) { return row.op->op_type == node.op_type && row.op->domain == node.domain; });
  return found == std::end(kRows) ? nullptr : &*found;
}

}  // namespace pare::ir
