// Operators that other operators define: from one expansion follow inference, the scalar reference, MACs, and the
// rewrite that gives the runtime nodes it has kernels for (passes/expand_*.cpp).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ir/op.h"

namespace pare::ir {

/// Builds what one node means, in a graph that holds the node's inputs.
class Expansion {
 public:
  /// `inputs` are values of `graph`, kNoValue where omitted, with their facts; nodes are added before `before` in
  /// operator set `opset` of ai.onnx.
  Expansion(Graph& graph, const Node& node, std::int64_t opset, std::vector<ValueId> inputs,
            std::span<const ValueFacts> facts, NodeId before = kNoNode)
      : graph_(graph),
        node_(node),
        opset_(opset),
        inputs_(std::move(inputs)),
        facts_(facts),
        before_(before),
        outputs_(node.outputs.size(), kNoValue) {}

  const Node& node() const { return node_; }
  bool has(std::size_t slot) const { return in(slot) != kNoValue; }
  ValueId in(std::size_t slot) const { return slot < inputs_.size() ? inputs_[slot] : kNoValue; }
  const ValueFacts& facts(std::size_t slot) const {
    static const ValueFacts unknown;
    return slot < facts_.size() ? facts_[slot] : unknown;
  }
  bool wants(std::size_t output) const { return node_.output(output) != kNoValue; }

  using NamedAttributes = std::vector<std::pair<std::string, AttributeValue>>;
  /// Adds a node of ai.onnx and returns its output.
  ValueId add(const std::string& type, std::vector<ValueId> inputs, NamedAttributes attributes = {});
  std::vector<ValueId> add_many(const std::string& type, std::vector<ValueId> inputs, std::size_t outputs,
                                NamedAttributes attributes = {});
  ValueId constant(Tensor tensor);
  ValueId ints(const std::vector<std::int64_t>& values);  ///< int64 of rank 1
  ValueId scalar(double value, DType dtype);
  void output(std::size_t slot, ValueId value) {
    if (slot < outputs_.size()) outputs_[slot] = value;
  }
  const std::vector<ValueId>& outputs() const { return outputs_; }

  /// Forms that changed with the operator set.
  ValueId reduce(const std::string& type, ValueId x, const std::vector<std::int64_t>& axes, bool keep = true);
  ValueId squeeze(const std::string& type, ValueId x, const std::vector<std::int64_t>& axes);  ///< and Unsqueeze
  std::vector<ValueId> split(ValueId x, std::int64_t axis, const std::vector<std::int64_t>& sizes);
  ValueId slice(ValueId x, std::int64_t axis, std::int64_t begin, std::int64_t end, std::int64_t step = 1);
  ValueId transpose(ValueId x, std::vector<std::int64_t> perm);
  ValueId reshape(ValueId x, const std::vector<std::int64_t>& dims);  ///< 0 keeps a dimension, −1 is what remains
  /// (x − zero_point) · scale; `axis`: that of a scale of rank 1. A scalar zero point serves all scales.
  ValueId dequantize(ValueId x, std::size_t scale, std::size_t zero_point, std::int64_t axis = 0);
  ValueId quantize(ValueId x, std::size_t scale, std::size_t zero_point, std::int64_t axis = 0);

  /// What several operators of com.microsoft share.
  ValueId gelu(ValueId x);  ///< x · Φ(x)
  ValueId normalized(ValueId x, double epsilon,
                     bool mean);  ///< (x − mean) / deviation, or x / root mean square; axis −1
  /// The function that the attribute "activation" names, with its parameters; x without it.
  ValueId activation(ValueId x, const std::vector<float>& params);
  /// NHWC → NCHW and back, when `last`; the rank is that of input `slot`.
  ValueId channels_first(ValueId x, bool last, std::size_t slot);
  ValueId channels_last(ValueId x, bool last, std::size_t slot);
  /// Those of the node's attributes that are set.
  NamedAttributes own(const std::vector<const char*>& names) const;

  /// Rank and sizes that the form depends on; when they are not known the expansion is given up.
  std::int64_t rank(std::size_t slot) const;
  std::int64_t size(std::size_t slot, std::int64_t axis) const;
  const Tensor& known(std::size_t slot) const;
  [[noreturn]] void fail(const std::string& problem, const std::string& expected = {},
                         const std::string& got = {}) const;
  [[noreturn]] void unsupported(const std::string& what) const;

 private:
  ValueId fitted_zero_point(std::size_t scale, std::size_t zero_point);

  Graph& graph_;
  const Node& node_;
  std::int64_t opset_;
  std::vector<ValueId> inputs_;
  std::span<const ValueFacts> facts_;
  NodeId before_;
  std::vector<ValueId> outputs_;
};

/// Thrown by Expansion where a rank, size or constant that it needs is not known.
struct NotKnown {
  std::string what;
};

using Expand = void (*)(Expansion&);

void infer_by_expansion(InferContext& ctx, Expand expand);
std::vector<Tensor> evaluate_by_expansion(const EvaluateContext& ctx, Expand expand);
std::int64_t macs_by_expansion(const Node& node, std::span<const ValueFacts> in, Expand expand);

/// The functions of an Operator that an expansion defines.
template <Expand expand>
void infer_expanded(InferContext& ctx) {
  infer_by_expansion(ctx, expand);
}
template <Expand expand>
std::vector<Tensor> evaluate_expanded(const EvaluateContext& ctx) {
  return evaluate_by_expansion(ctx, expand);
}
template <Expand expand>
std::int64_t macs_expanded(const Node& node, std::span<const ValueFacts> in, std::span<const ValueFacts>) {
  return macs_by_expansion(node, in, expand);
}

template <Expand expand>
Operator expanded_operator(std::string_view type, std::string_view domain, int min_inputs, int max_inputs,
                           std::vector<std::string_view> attributes, int max_outputs = 1) {
  Operator op{.op_type = type, .domain = domain};
  op.min_inputs = min_inputs;
  op.max_inputs = max_inputs;
  op.max_outputs = max_outputs;
  op.attributes = std::move(attributes);
  op.infer = infer_expanded<expand>;
  op.evaluate = evaluate_expanded<expand>;
  op.macs = macs_expanded<expand>;
  return op;
}

/// A row of expansions.inc.
struct ExpansionRow {
  const Operator* op;
  Expand expand;
  std::int64_t since;  ///< oldest ai.onnx operator set that has what the expansion adds
  bool quantized;      ///< QOperator form, which becomes QDQ form in every model; others only for execution
};
/// The row of a node's operator, or nullptr.
const ExpansionRow* find_expansion(const Node& node);

inline constexpr std::string_view kMicrosoft = "com.microsoft";

}  // namespace pare::ir
