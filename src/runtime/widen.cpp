#include "runtime/widen.h"

#include <algorithm>
#include <map>

#include "base/float16.h"
#include "runtime/lowerer.h"

namespace pare::runtime {

namespace {

using ir::Graph;
using ir::NodeId;
using ir::ValueId;

bool is_short(DType type) { return type == DType::kFloat16 || type == DType::kBFloat16; }

/// Their kernels take elements of any type (or change the type themselves).
bool moves_elements(const ir::Node& node) {
  static constexpr std::string_view kMovers[] = {
      "Reshape", "Flatten", "Squeeze", "Unsqueeze",    "Identity",     "Dropout", "Transpose", "Concat", "Split",
      "Slice",   "Expand",  "Tile",    "DepthToSpace", "SpaceToDepth", "Where",   "Gather",    "Cast",   "Pad"};
  return std::ranges::find(kMovers, node.op_type) != std::end(kMovers);
}

class Widener {
 public:
  Widener(ir::Model& model, WeightCache& cache) : graph_(model.graph), cache_(cache) {}

  void run() {
    const std::vector<NodeId> order = graph_.nodes();
    for (std::size_t i = 0; i < order.size(); ++i)
      if (applies(order[i])) widen(order[i], i + 1 < order.size() ? order[i + 1] : ir::kNoNode);
  }

 private:
  bool applies(NodeId id) const {
    const ir::Node& node = graph_.node(id);
    if (!find_lowering(node) || moves_elements(node)) return false;
    const auto is = [&](ValueId value) { return value != ir::kNoValue && is_short(graph_.value(value).dtype); };
    return std::any_of(node.inputs.begin(), node.inputs.end(), is) ||
           std::any_of(node.outputs.begin(), node.outputs.end(), is);
  }

  ValueId cast(ValueId from, ValueId to, DType type, NodeId before) {
    ir::Node node;
    node.op_type = "Cast";
    node.name = graph_.value(to).name + "/cast";
    node.inputs = {from};
    node.outputs = {to};
    node.set("to", static_cast<std::int64_t>(type));
    graph_.add_node(std::move(node), before);
    return to;
  }

  ValueId wide(ValueId id, NodeId before) {
    if (const auto known = wide_.find(id); known != wide_.end()) return known->second;
    const ir::Value& value = graph_.value(id);
    const std::string name = value.name + "/float32";
    if (const Tensor* constant = graph_.constant(id)) {
      const Tensor tensor = *cache_.get<Tensor>("float32 of " + value.name, *constant, [&] {
        return std::make_shared<const Tensor>(pare::cast(*constant, DType::kFloat32));
      });
      return wide_[id] = graph_.add_initializer(name, tensor);
    }
    const ir::Shape shape = value.shape;
    return wide_[id] = cast(id, graph_.add_value(name, DType::kFloat32, shape), DType::kFloat32, before);
  }

  void widen(NodeId id, NodeId next) {
    const std::vector<ValueId> inputs = graph_.node(id).inputs, outputs = graph_.node(id).outputs;
    for (std::size_t slot = 0; slot < inputs.size(); ++slot)
      if (inputs[slot] != ir::kNoValue && is_short(graph_.value(inputs[slot]).dtype))
        graph_.set_input(id, slot, wide(inputs[slot], id));
    for (std::size_t slot = 0; slot < outputs.size(); ++slot) {
      if (outputs[slot] == ir::kNoValue || !is_short(graph_.value(outputs[slot]).dtype)) continue;
      const ir::Value& value = graph_.value(outputs[slot]);
      const DType type = value.dtype;
      const ValueId made = graph_.add_value(value.name + "/unrounded", DType::kFloat32, value.shape);
      graph_.set_output(id, slot, made);
      cast(made, outputs[slot], type, next);
    }
  }

  Graph& graph_;
  WeightCache& cache_;
  std::map<ValueId, ValueId> wide_;
};

bool is_packed(const Tensor* tensor) { return tensor && is_integer(tensor->dtype()) && bits(tensor->dtype()) < 8; }

/// The kernel that takes `value` as its weight wants bytes.
bool wants_bytes(const Graph& graph, NodeId reader, ValueId value) {
  const ir::Node& node = graph.node(reader);
  if (node.input(1) != value || node.input(0) == value) return false;
  if (node.is("Conv")) return true;
  const NodeId from = graph.producer(node.input(0));
  return (node.is("MatMul") || node.is("Gemm")) && from != ir::kNoNode && graph.node(from).is("DequantizeLinear");
}

void to_bytes(Graph& graph, NodeId id, std::size_t slot) {
  const ValueId old = graph.node(id).input(slot);
  if (!is_packed(graph.constant(old))) return;
  const Tensor& from = *graph.constant(old);
  const bool is_signed = from.dtype() == DType::kInt4 || from.dtype() == DType::kInt2;
  const DType type = is_signed ? DType::kInt8 : DType::kUint8;
  graph.set_input(id, slot, graph.add_initializer(graph.value(old).name + "/bytes", cast(from, type)));
}

}  // namespace

void widen_packed_weights(Graph& graph) {
  const std::vector<NodeId> nodes = graph.nodes();
  for (NodeId id : nodes) {
    const ir::Node& node = graph.node(id);
    if (!node.is("DequantizeLinear") || !is_packed(graph.constant(node.input(0))) || node.int_or("block_size", 0) != 0)
      continue;
    const std::vector<NodeId>& readers = graph.value(node.output(0)).consumers;
    if (graph.is_output(node.output(0)) ||
        !std::ranges::all_of(readers, [&](NodeId reader) { return wants_bytes(graph, reader, node.output(0)); }))
      continue;
    to_bytes(graph, id, 0);
    to_bytes(graph, id, 2);
  }
  graph.erase_dead();
}

void widen_to_float32(ir::Model& model, WeightCache& cache) {
  Widener(model, cache).run();
  model.graph.erase_dead();
}

}  // namespace pare::runtime
