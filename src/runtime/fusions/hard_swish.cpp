// x → HardSigmoid (α = 1/6, β = 1/2) → · x                      becomes   x → HardSwish (Howard et al. 2019)
// x → + 3 → Clip to [0, 6] → · x → / 6, the last two in any order, / 6 or · 1/6      becomes   x → HardSwish
//
// as exporters write it before operator set 14 has it. Conditions: f32, nothing else reads what lies between.
#include <cmath>

#include "passes/pass.h"
#include "runtime/activation.h"
#include "runtime/fusion.h"

namespace pare::runtime {
namespace {

using ir::Graph;
using ir::kNoNode;
using ir::kNoValue;
using ir::NodeId;
using ir::ValueId;

constexpr float kSixth = 1.0f / 6;

/// The one reader of `value`, when it is a Div by 6 or a Mul by 1/6 of it.
NodeId sixth_of(const Graph& graph, ValueId value) {
  const NodeId id = graph.sole_consumer(value);
  if (id == kNoNode) return kNoNode;
  const ir::Node& node = graph.node(id);
  if (node.is("Div")) return node.input(0) == value && is_scalar(graph, node.input(1), 6) ? id : kNoNode;
  if (!node.is("Mul")) return kNoNode;
  return is_scalar(graph, other_operand(node, value), kSixth) ? id : kNoNode;
}

/// The one reader of `value`, when it is its product with x.
NodeId product_with(const Graph& graph, ValueId value, ValueId x) {
  const NodeId id = graph.sole_consumer(value);
  return id != kNoNode && graph.node(id).is("Mul") && other_operand(graph.node(id), value) == x ? id : kNoNode;
}

/// x where the node clips x + 3 to [0, 6]; kNoValue otherwise.
ValueId clipped_sum(const ir::Model& model, const ir::Node& node) {
  const Graph& graph = model.graph;
  const auto activation = activation_of(model, node);
  const auto clamp = activation ? clamp_of(*activation) : std::nullopt;
  if (!clamp || clamp->lo != 0 || clamp->hi != 6) return kNoValue;
  const NodeId add = graph.producer(node.input(0));
  if (add == kNoNode || !graph.node(add).is("Add") || graph.sole_consumer(node.input(0)) == kNoNode) return kNoValue;
  for (std::size_t slot : {0, 1})
    if (is_scalar(graph, graph.node(add).input(1 - slot), 3)) return graph.node(add).input(slot);
  return kNoValue;
}

NodeId end_of(const ir::Model& model, NodeId id, ValueId& x) {
  const Graph& graph = model.graph;
  const ir::Node& node = graph.node(id);
  if (node.is("HardSigmoid")) {
    const bool sixths = std::abs(node.float_or("alpha", 0.2f) - kSixth) < 1e-6f && node.float_or("beta", 0.5f) == 0.5f;
    x = node.input(0);
    return sixths ? product_with(graph, node.output(0), x) : kNoNode;
  }
  if ((x = clipped_sum(model, node)) == kNoValue) return kNoNode;
  if (const NodeId product = product_with(graph, node.output(0), x); product != kNoNode)
    return sixth_of(graph, graph.node(product).output(0));
  const NodeId sixth = sixth_of(graph, node.output(0));
  return sixth == kNoNode ? kNoNode : product_with(graph, graph.node(sixth).output(0), x);
}

int run(ir::Model& model) {
  Graph& graph = model.graph;
  int fused = 0;
  const std::vector<NodeId> order = graph.nodes();
  for (NodeId id : order) {
    if (!graph.has_node(id)) continue;  // the end of one that was fused
    ValueId x = kNoValue;
    const NodeId last = end_of(model, id, x);
    if (last == kNoNode || graph.value(x).dtype != DType::kFloat32) continue;
    replace_by_unary(graph, last, "HardSwish", x);
    ++fused;
  }
  return fused;
}

}  // namespace

extern const passes::Pass k_hard_swish;
const passes::Pass k_hard_swish{"hard_swish", "x · HardSigmoid(x), or x · Clip(x + 3, 0, 6) / 6 → HardSwish", run};

}  // namespace pare::runtime
