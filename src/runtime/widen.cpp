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

}  // namespace

void widen_to_float32(ir::Model& model, WeightCache& cache) {
  Widener(model, cache).run();
  model.graph.erase_dead();
}

}  // namespace pare::runtime
