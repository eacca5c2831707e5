// x / √2 → Erf → + 1 → · x → · 0.5                              becomes   x → Gelu
// √(2/π) · (x + 0.044715 · x³) → Tanh → + 1 → · x → · 0.5       becomes   x → Gelu (approximate = tanh)
//
// The last two products in any order, as exporters write them (Hendrycks and Gimpel, 2016). Conditions: f32, the
// constants within rounding of theirs, nothing else reads what lies between.
#include "passes/pass.h"
#include "runtime/fusion.h"

namespace pare::runtime {
namespace {

using ir::Graph;
using ir::kNoNode;
using ir::kNoValue;
using ir::NodeId;
using ir::ValueId;

constexpr float kHalfRoot = 0.70710678f, kTanhScale = 0.79788456f, kTanhCubic = 0.044715f;

/// The factor that a Mul or Div by a scalar applies to the operand that is returned in `x`.
bool scaled_by(const Graph& graph, ValueId value, float factor, ValueId& x) {
  const NodeId id = graph.producer(value);
  if (id == kNoNode) return false;
  const ir::Node& node = graph.node(id);
  if (node.is("Div")) {
    x = node.input(0);
    return is_scalar(graph, node.input(1), 1 / factor);
  }
  if (!node.is("Mul")) return false;
  const bool second = is_scalar(graph, node.input(1), factor);
  x = node.input(second ? 0 : 1);
  return second || is_scalar(graph, node.input(0), factor);
}

bool is_cube(const Graph& graph, ValueId value, ValueId x) {
  const NodeId id = graph.producer(value);
  if (id == kNoNode) return false;
  const ir::Node& node = graph.node(id);
  if (node.is("Pow")) return node.input(0) == x && is_scalar(graph, node.input(1), 3);
  if (!node.is("Mul")) return false;
  const ValueId square = other_operand(node, x);
  const NodeId inner = square == kNoValue ? kNoNode : graph.producer(square);
  return inner != kNoNode && graph.node(inner).is("Mul") && graph.node(inner).input(0) == x &&
         graph.node(inner).input(1) == x;
}

/// The x of √(2/π) · (x + 0.044715 · x³); kNoValue when `value` is something else.
ValueId tanh_argument(const Graph& graph, ValueId value) {
  ValueId sum = kNoValue;
  if (!scaled_by(graph, value, kTanhScale, sum)) return kNoValue;
  const NodeId add = graph.producer(sum);
  if (add == kNoNode || !graph.node(add).is("Add")) return kNoValue;
  for (std::size_t slot : {0, 1}) {
    const ValueId x = graph.node(add).input(slot);
    ValueId cube = kNoValue;
    if (scaled_by(graph, graph.node(add).input(1 - slot), kTanhCubic, cube) && is_cube(graph, cube, x)) return x;
  }
  return kNoValue;
}

/// The node that ends 0.5 · x · (1 + inner), given `inner`; kNoNode when that is not what follows.
NodeId end_of_gate(const Graph& graph, ValueId inner, ValueId x) {
  const NodeId add = graph.sole_consumer(inner);
  if (add == kNoNode || !graph.node(add).is("Add")) return kNoNode;
  if (!is_scalar(graph, other_operand(graph.node(add), inner), 1)) return kNoNode;
  const ValueId gate = graph.node(add).output(0);
  const NodeId first = graph.sole_consumer(gate);
  if (first == kNoNode || !graph.node(first).is("Mul")) return kNoNode;
  const ValueId factor = other_operand(graph.node(first), gate), product = graph.node(first).output(0);
  ValueId halved = kNoValue;
  if (factor != x && scaled_by(graph, factor, 0.5f, halved) && halved == x) return first;
  const NodeId second = graph.sole_consumer(product);
  if (second == kNoNode || !graph.node(second).is("Mul")) return kNoNode;
  const ValueId last = other_operand(graph.node(second), product);
  if (factor == x && is_scalar(graph, last, 0.5f)) return second;
  return is_scalar(graph, factor, 0.5f) && last == x ? second : kNoNode;
}

int run(ir::Model& model) {
  Graph& graph = model.graph;
  int fused = 0;
  const std::vector<NodeId> order = graph.nodes();
  for (NodeId id : order) {
    if (!graph.has_node(id)) continue;  // the end of one that was fused
    const ir::Node& node = graph.node(id);
    const bool exact = node.is("Erf");
    if (!exact && !node.is("Tanh")) continue;
    ValueId x = kNoValue;
    if (exact ? !scaled_by(graph, node.input(0), kHalfRoot, x) : (x = tanh_argument(graph, node.input(0))) == kNoValue)
      continue;
    if (graph.value(x).dtype != DType::kFloat32) continue;
    const NodeId last = end_of_gate(graph, node.output(0), x);
    if (last == kNoNode) continue;
    replace_by_unary(graph, last, "Gelu", x, exact ? "none" : "tanh");
    ++fused;
  }
  return fused;
}

}  // namespace

extern const passes::Pass k_gelu;
const passes::Pass k_gelu{"gelu", "x · 0.5 · (1 + Erf(x / √2)), or its tanh form → Gelu", run};

}  // namespace pare::runtime
