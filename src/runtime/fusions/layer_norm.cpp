// d = x − mean(x);  d / √(mean(d²) + ε)  [→ · scale] [→ + bias]      becomes   x, scale, bias → LayerNormalization
//
// as exporters write it before operator set 17 has it (Ba et al. 2016): the square as Pow or as a product, d computed
// once or twice, ε a scalar. Conditions: f32, means over the last axis that keep it, scale and bias constants with one
// element for each index of it, nothing else reads what lies between.
#include "passes/pass.h"
#include "runtime/fusion.h"

namespace pare::runtime {
namespace {

using ir::Graph;
using ir::kNoNode;
using ir::kNoValue;
using ir::NodeId;
using ir::ValueId;

struct Found {
  ValueId x = kNoValue, scale = kNoValue, bias = kNoValue;
  float epsilon = 0;
  NodeId last = kNoNode;
};

class Matcher {
 public:
  explicit Matcher(const Graph& graph) : graph_(graph) {}

  /// `division`: the Div of the pattern.
  std::optional<Found> at(NodeId division) const {
    const ir::Node& node = graph_.node(division);
    Found found;
    found.last = division;
    found.x = centred(node.input(0));
    if (found.x == kNoValue || graph_.value(found.x).dtype != DType::kFloat32) return std::nullopt;
    const NodeId root = producer(node.input(1), "Sqrt");
    const NodeId sum = root == kNoNode ? kNoNode : producer(graph_.node(root).input(0), "Add");
    if (sum == kNoNode) return std::nullopt;
    for (std::size_t slot : {0, 1}) {
      const auto epsilon = scalar_of(graph_, graph_.node(sum).input(1 - slot));
      if (!epsilon || !is_variance(graph_.node(sum).input(slot), found.x)) continue;
      found.epsilon = *epsilon;
      take_affine(found);
      return found;
    }
    return std::nullopt;
  }

 private:
  NodeId producer(ValueId value, const char* type) const {
    const NodeId id = value == kNoValue ? kNoNode : graph_.producer(value);
    return id != kNoNode && graph_.node(id).is(type) ? id : kNoNode;
  }

  /// The operand of a mean over the last axis that keeps it; kNoValue otherwise.
  ValueId averaged(ValueId value) const {
    const NodeId id = producer(value, "ReduceMean");
    if (id == kNoNode || graph_.node(id).int_or("keepdims", 1) != 1) return kNoValue;
    const ir::Node& node = graph_.node(id);
    std::vector<std::int64_t> axes = node.ints_or("axes", {});
    if (const Tensor* given = graph_.constant(node.input(1)); given && given->dtype() == DType::kInt64)
      axes.assign(given->data<std::int64_t>().begin(), given->data<std::int64_t>().end());
    const auto rank = static_cast<std::int64_t>(graph_.value(node.input(0)).shape.rank());
    return axes.size() == 1 && (axes[0] == -1 || axes[0] == rank - 1) ? node.input(0) : kNoValue;
  }

  /// x where value = x − mean(x); kNoValue otherwise.
  ValueId centred(ValueId value) const {
    const NodeId id = producer(value, "Sub");
    if (id == kNoNode) return kNoValue;
    const ValueId x = graph_.node(id).input(0);
    return averaged(graph_.node(id).input(1)) == x ? x : kNoValue;
  }

  /// value = mean((x − mean(x))²).
  bool is_variance(ValueId value, ValueId x) const {
    const ValueId square = averaged(value);
    if (square == kNoValue) return false;
    if (const NodeId power = producer(square, "Pow"); power != kNoNode)
      return is_scalar(graph_, graph_.node(power).input(1), 2) && centred(graph_.node(power).input(0)) == x;
    const NodeId product = producer(square, "Mul");
    return product != kNoNode && graph_.node(product).input(0) == graph_.node(product).input(1) &&
           centred(graph_.node(product).input(0)) == x;
  }

  /// The constant that the one reader of the pattern's end combines with it, one element for each index of the last axis.
  ValueId affine(const Found& found, const char* type) const {
    const ValueId so_far = graph_.node(found.last).output(0);
    const NodeId id = graph_.sole_consumer(so_far);
    if (id == kNoNode || !graph_.node(id).is(type)) return kNoValue;
    const ValueId other = other_operand(graph_.node(id), so_far);
    const Tensor* constant = other == kNoValue ? nullptr : graph_.constant(other);
    const auto dims = graph_.value(found.x).shape.static_dims();
    const bool fits = constant && constant->dtype() == DType::kFloat32 && dims && constant->rank() == 1 &&
                      constant->numel() == dims->back();
    return fits ? other : kNoValue;
  }

  void take_affine(Found& found) const {
    found.scale = affine(found, "Mul");
    if (found.scale != kNoValue) found.last = graph_.sole_consumer(graph_.node(found.last).output(0));
    found.bias = affine(found, "Add");
    if (found.bias != kNoValue) found.last = graph_.sole_consumer(graph_.node(found.last).output(0));
  }

  const Graph& graph_;
};

ValueId ones(Graph& graph, ValueId x) {
  Tensor tensor(DType::kFloat32, {graph.value(x).shape.static_dims()->back()});
  for (float& value : tensor.mutable_data<float>()) value = 1;
  return graph.add_initializer("ones", std::move(tensor));
}

void replace(Graph& graph, const Found& found) {
  ir::Node node;
  node.op_type = "LayerNormalization";
  node.name = graph.node(found.last).name;
  node.inputs = {found.x, found.scale == kNoValue ? ones(graph, found.x) : found.scale};
  if (found.bias != kNoValue) node.inputs.push_back(found.bias);
  node.set("axis", std::int64_t{-1});
  node.set("epsilon", found.epsilon);
  const ValueId result = graph.node(found.last).output(0);
  graph.set_output(found.last, 0, graph.add_value(""));
  node.outputs = {result};
  graph.add_node(std::move(node), found.last);
  graph.erase_node(found.last);
}

int run(ir::Model& model) {
  Graph& graph = model.graph;
  int fused = 0;
  const std::vector<NodeId> order = graph.nodes();
  for (NodeId id : order) {
    if (!graph.has_node(id) || !graph.node(id).is("Div")) continue;
    const auto found = Matcher(graph).at(id);
    if (!found || !graph.value(found->x).shape.static_dims()) continue;
    replace(graph, *found);
    ++fused;
  }
  return fused;
}

}  // namespace

extern const passes::Pass k_layer_norm;
const passes::Pass k_layer_norm{"layer_norm", "(x − mean) / √(variance + ε) · scale + bias → LayerNormalization", run};

}  // namespace pare::runtime
