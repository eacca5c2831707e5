#include "passes/qoperator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>

#include "base/float16.h"

namespace pare::passes {
namespace {

using ir::Graph;
using ir::kNoNode;
using ir::kNoValue;
using ir::Node;
using ir::NodeId;
using ir::ValueId;

constexpr const char* kMicrosoft = "com.microsoft";

/// Integers with their parameters, as the inputs of a Q or DQ node hold them.
struct Linear {
  ValueId q, scale, zero_point;
  std::int64_t axis = 0;
};

bool is_8_bit(DType type) { return type == DType::kInt8 || type == DType::kUint8; }

class Converter {
 public:
  explicit Converter(ir::Model& model) : model_(model), graph_(model.graph) {}

  QOperators run() {
    const std::vector<NodeId> order = graph_.nodes();
    for (const NodeId id : order)
      if (graph_.has_node(id)) visit(id);
    graph_.sort();  // new nodes stand at the end
    graph_.erase_dead();
    if (done_.microsoft) model_.opsets.try_emplace(kMicrosoft, 1);
    return std::move(done_);
  }

 private:
  /// What DequantizeLinear with constant parameters makes of 8 bits (or of the int32 of a bias).
  std::optional<Linear> dequantized(ValueId id, bool bias = false) const {
    const NodeId producer = graph_.producer(id);
    if (producer == kNoNode || !graph_.node(producer).is("DequantizeLinear")) return std::nullopt;
    const Node& node = graph_.node(producer);
    const DType type = graph_.value(node.input(0)).dtype;
    if (bias ? type != DType::kInt32 : !is_8_bit(type)) return std::nullopt;
    if (!graph_.constant(node.input(1)) || node.int_or("block_size", 0) != 0) return std::nullopt;
    if (!bias && !graph_.constant(node.input(2))) return std::nullopt;
    return Linear{node.input(0), node.input(1), node.input(2), node.int_or("axis", 1)};
  }
  bool per_tensor(const Linear& linear) const { return graph_.constant(linear.scale)->numel() == 1; }
  std::optional<Linear> activation(ValueId id) const {
    const auto found = dequantized(id);
    return found && per_tensor(*found) && !graph_.constant(found->q) ? found : std::nullopt;
  }

  /// A QuantizeLinear that alone reads the value.
  NodeId quantizer(ValueId id) const {
    const NodeId next = graph_.sole_consumer(id);
    if (next == kNoNode || !graph_.node(next).is("QuantizeLinear")) return kNoNode;
    const Node& node = graph_.node(next);
    const Tensor *scale = graph_.constant(node.input(1)), *zero = graph_.constant(node.input(2));
    return scale && zero && scale->numel() == 1 && is_8_bit(zero->dtype()) ? next : kNoNode;
  }

  double quantize(double x, const Node& quantizer) const {
    const Tensor& zero = *graph_.constant(quantizer.input(2));
    const double low = zero.dtype() == DType::kInt8 ? -128 : 0;
    const auto quotient = static_cast<double>(static_cast<float>(x) /
                                              graph_.constant(quantizer.input(1))->data<float>()[0]);
    return std::clamp(std::nearbyint(quotient) + element_as_double(zero, 0), low, low + 255);
  }
  /// Whether the clamp does nothing that the quantizer's saturation would not.
  bool saturates(const Node& node, const Node& quantizer) const {
    const double low = graph_.constant(quantizer.input(2))->dtype() == DType::kInt8 ? -128 : 0;
    if (node.is("Relu")) return quantize(0, quantizer) == low;
    if (!node.is("Clip")) return false;
    const auto bound = [&](std::size_t slot, double end) {
      if (node.input(slot) == kNoValue) return true;
      const Tensor* given = graph_.constant(node.input(slot));
      return given && given->dtype() == DType::kFloat32 &&
             quantize(static_cast<double>(given->data<float>()[0]), quantizer) == end;
    };
    return bound(1, low) && bound(2, low + 255);
  }

  /// What follows the node up to its QuantizeLinear: the value that is written in integers, or why there is none.
  struct Tail {
    NodeId quantizer = kNoNode;
    std::string reason;
  };
  Tail tail_of(ValueId out) const {
    NodeId next = graph_.sole_consumer(out);
    if (next == kNoNode) return {kNoNode, "its output is read as float"};
    const NodeId clamp = next;
    const bool clamped = graph_.node(next).is("Relu") || graph_.node(next).is("Clip");
    if (clamped) out = graph_.node(next).output(0);
    const NodeId end = quantizer(out);
    if (end == kNoNode) return {kNoNode, "its output is read as float"};
    if (clamped && !saturates(graph_.node(clamp), graph_.node(end)))
      return {kNoNode, graph_.node(clamp).op_type + " behind it does more than QuantizeLinear's saturation"};
    return {end, ""};
  }

  void visit(NodeId id) {
    const Node node = graph_.node(id);
    std::string reason;
    if (node.is("Conv"))
      reason = conv(id, node);
    else if (node.is("MatMul"))
      reason = matmul(id, node);
    else if (node.is("Gemm"))
      reason = gemm(id, node);
    else if (node.is("Add"))
      reason = binary(id, node, "QLinearAdd");
    else if (node.is("GlobalAveragePool") || node.is("AveragePool"))
      reason = pool(id, node);
    else if (node.is("ReduceMean") && activation(node.input(0)))
      reason = "no QLinear operator has its axes";
    else if (moves(node))
      move(id, node);
    if (!reason.empty() && reads_integers(node)) done_.kept.push_back({node.name, reason});
  }

  bool reads_integers(const Node& node) const { return !node.inputs.empty() && activation(node.input(0)).has_value(); }

  /// Replaces the node, and what follows it up to `last`, by an operator on integers that writes what `last` wrote.
  void replace(NodeId id, const Node& old, NodeId last, const char* type, const char* domain,
               std::vector<ValueId> inputs, std::initializer_list<const char*> attributes) {
    Node node;
    node.op_type = type;
    node.domain = domain;
    node.inputs = std::move(inputs);
    while (!node.inputs.empty() && node.inputs.back() == kNoValue) node.inputs.pop_back();
    for (const char* name : attributes)
      if (const ir::Attribute* given = old.find(name)) node.set(name, given->value);
    node.outputs = {graph_.node(last).output(0)};
    node.name = old.name;
    std::vector<NodeId> chain = {id};
    while (chain.back() != last) chain.push_back(graph_.sole_consumer(graph_.node(chain.back()).output(0)));
    graph_.set_output(last, 0, graph_.add_value(""));
    for (auto at = chain.rbegin(); at != chain.rend(); ++at) graph_.erase_node(*at);
    graph_.add_node(std::move(node));
    done_.microsoft |= std::string_view(domain) == kMicrosoft;
    ++done_.converted;
  }

  /// A bias that integer operators take: none, or int32.
  bool bias_fits(ValueId bias, ValueId& integers) const {
    integers = kNoValue;
    if (bias == kNoValue) return true;
    const auto found = dequantized(bias, true);
    if (found) integers = found->q;
    return found.has_value();
  }

  std::string conv(NodeId id, const Node& node) {
    const auto x = activation(node.input(0)), w = dequantized(node.input(1));
    ValueId bias;
    if (!x || !w || !graph_.constant(w->q)) return "its weight is not of 8 bits";
    if (!per_tensor(*w) && w->axis != 0) return "its weight's scales are not of output channels";
    if (!bias_fits(node.input(2), bias)) return "its bias is not int32";
    const Tail tail = tail_of(node.output(0));
    if (tail.quantizer == kNoNode) return tail.reason;
    const Node& q = graph_.node(tail.quantizer);
    replace(id, node, tail.quantizer, "QLinearConv", "",
            {x->q, x->scale, x->zero_point, w->q, w->scale, w->zero_point, q.input(1), q.input(2), bias},
            {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"});
    return "";
  }

  std::string matmul(NodeId id, const Node& node) {
    const auto a = activation(node.input(0)), b = dequantized(node.input(1));
    if (!a || !b) return "one operand is float";
    const ir::Shape& shape = graph_.value(b->q).shape;
    if (!per_tensor(*b) && (!shape.ranked() || b->axis != shape.rank() - 1)) return "its weight's scales are not of columns";
    if (const Tail tail = tail_of(node.output(0)); tail.quantizer != kNoNode) {
      const Node& q = graph_.node(tail.quantizer);
      replace(id, node, tail.quantizer, "QLinearMatMul", "",
              {a->q, a->scale, a->zero_point, b->q, b->scale, b->zero_point, q.input(1), q.input(2)}, {});
      return "";
    }
    const NodeId next = graph_.sole_consumer(node.output(0));
    ValueId bias = kNoValue;
    if (next != kNoNode && graph_.node(next).is("Add") && shape.ranked()) {
      const Node& add = graph_.node(next);
      const ValueId other = add.input(0) == node.output(0) ? add.input(1) : add.input(0);
      const Tensor* vector = graph_.constant(other);
      const ir::Dim columns = shape[shape.rank() - 1];
      if (vector && vector->dtype() == DType::kFloat32 && vector->rank() == 1 && columns == ir::Dim(vector->dim(0)))
        bias = other;
    }
    replace(id, node, bias == kNoValue ? id : next, "MatMulIntegerToFloat", kMicrosoft,
            {a->q, b->q, a->scale, b->scale, a->zero_point, b->zero_point, bias}, {});
    return "";
  }

  std::string gemm(NodeId id, const Node& node) {
    const auto a = activation(node.input(0)), b = dequantized(node.input(1));
    if (!a || !b || !graph_.constant(b->q)) return "its weight is not of 8 bits";
    ValueId bias;
    if (!bias_fits(node.input(2), bias)) return "its bias is not int32";
    if (node.float_or("beta", 1) != 1 || node.float_or("alpha", 1) != 1) return "alpha or beta is not 1";
    if (!per_tensor(*b) && b->axis != (node.int_or("transB", 0) ? 0 : 1)) return "its weight's scales are not of outputs";
    const Tail tail = tail_of(node.output(0));
    std::vector<ValueId> inputs = {a->q, a->scale, a->zero_point, b->q, b->scale, b->zero_point, bias};
    if (tail.quantizer != kNoNode)
      for (const std::size_t slot : {1, 2}) inputs.push_back(graph_.node(tail.quantizer).input(slot));
    replace(id, node, tail.quantizer == kNoNode ? id : tail.quantizer, "QGemm", kMicrosoft, std::move(inputs),
            {"alpha", "transA", "transB"});
    return "";
  }

  std::string binary(NodeId id, const Node& node, const char* type) {
    const auto a = activation(node.input(0)), b = activation(node.input(1));
    if (!a || !b) return "one operand is float";
    const Tail tail = tail_of(node.output(0));
    if (tail.quantizer == kNoNode) return tail.reason;
    const Node& q = graph_.node(tail.quantizer);
    replace(id, node, tail.quantizer, type, kMicrosoft,
            {a->q, a->scale, a->zero_point, b->q, b->scale, b->zero_point, q.input(1), q.input(2)}, {});
    return "";
  }

  std::string pool(NodeId id, const Node& node) {
    const auto x = activation(node.input(0));
    if (!x) return "its input is float";
    const Tail tail = tail_of(node.output(0));
    if (tail.quantizer == kNoNode) return tail.reason;
    const Node& q = graph_.node(tail.quantizer);
    replace(id, node, tail.quantizer, node.is("AveragePool") ? "QLinearAveragePool" : "QLinearGlobalAveragePool", kMicrosoft,
            {x->q, x->scale, x->zero_point, q.input(1), q.input(2)},
            {"auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides"});
    return "";
  }

  static bool moves(const Node& node) {
    static constexpr std::array<std::string_view, 8> kMoves = {"MaxPool", "Flatten",   "Reshape",  "Transpose",
                                                               "Squeeze", "Unsqueeze", "Identity", "Concat"};
    return node.domain.empty() && node.output(1) == kNoValue &&
           std::find(kMoves.begin(), kMoves.end(), node.op_type) != kMoves.end();
  }

  bool same(const Linear& a, const Node& quantizer) const {
    return graph_.constant(a.scale)->identical(*graph_.constant(quantizer.input(1))) &&
           graph_.constant(a.zero_point)->identical(*graph_.constant(quantizer.input(2)));
  }

  /// Integers go through what only moves them.
  void move(NodeId id, const Node& node) {
    const std::size_t operands = node.is("Concat") ? node.inputs.size() : 1;
    const NodeId end = quantizer(node.output(0));
    if (end == kNoNode) return;
    std::vector<ValueId> integers;
    for (std::size_t slot = 0; slot < operands; ++slot) {
      const auto x = activation(node.input(slot));
      if (!x || !same(*x, graph_.node(end))) return;
      integers.push_back(x->q);
    }
    for (std::size_t slot = 0; slot < operands; ++slot) graph_.set_input(id, slot, integers[slot]);
    const ValueId out = graph_.node(end).output(0);
    graph_.set_output(end, 0, graph_.add_value(""));
    graph_.set_output(id, 0, out);
    graph_.erase_node(end);
    ++done_.converted;
  }

  ir::Model& model_;
  Graph& graph_;
  QOperators done_;
};

}  // namespace

QOperators to_qoperators(ir::Model& model) { return Converter(model).run(); }

}  // namespace pare::passes
