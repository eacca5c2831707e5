// Q · Kᵀ → · or / scalar → + mask → Softmax → · V            becomes   Q, K, V, mask → Attention
//
// with the heads' Reshape and Transpose on all four sides, where they are there (Q, K, V and the result are then
// [batch, positions, heads · width]). The scaling and the mask may be missing. Where the result is quantized by one scale
// before its heads are put side by side, that is done behind. Conditions: f32, shapes known, as many heads on all sides,
// nothing else reads what lies between. A query all of whose keys are masked by −inf stays NaN, as
// before, other than ONNX has it for nodes that a model itself spells Attention: those are expanded before.
#include "passes/pass.h"
#include "runtime/fusion.h"
#include "runtime/quant_view.h"

namespace pare::runtime {
namespace {

using ir::Graph;
using ir::kNoNode;
using ir::kNoValue;
using ir::NodeId;
using ir::ValueId;
using Perm = std::vector<std::int64_t>;

const Perm kHeadsFirst = {0, 2, 1, 3}, kKeysLast = {0, 2, 3, 1}, kSwapped = {0, 1, 3, 2};

struct Found {
  ValueId q = kNoValue, k = kNoValue, v = kNoValue, mask = kNoValue, result = kNoValue;
  float scale = 1;
  std::int64_t heads = 0;
  bool flat = false;  ///< [batch, positions, heads · width] instead of [batch, heads, positions, width]
  NodeId last = kNoNode;
  NodeId quantizer = kNoNode;  ///< of the mixture; `result` is 8-bit then
};

class Matcher {
 public:
  explicit Matcher(const Graph& graph) : graph_(graph) {}

  std::optional<Found> at(NodeId softmax) const {
    Found found;
    const NodeId mix = graph_.sole_consumer(graph_.node(softmax).output(0));
    if (!is(mix, "MatMul") || graph_.node(mix).input(0) != graph_.node(softmax).output(0)) return std::nullopt;
    const NodeId scores = before_softmax(graph_.node(softmax).input(0), found);
    if (!is(scores, "MatMul")) return std::nullopt;
    found.q = graph_.node(scores).input(0), found.v = graph_.node(mix).input(1);
    found.result = graph_.node(mix).output(0), found.last = mix;
    const NodeId turned = producer(graph_.node(scores).input(1));
    if (!is(turned, "Transpose") || !agree(found, graph_.node(scores).input(1))) return std::nullopt;
    const Perm perm = graph_.node(turned).ints_or("perm", {});
    if (perm == kKeysLast) {
      found.k = flat_source(turned);
      if (found.k == kNoValue || !flatten(found)) return std::nullopt;
      return found;
    }
    if (perm != kSwapped) return std::nullopt;
    found.k = graph_.node(turned).input(0);
    Found flat = found;
    flat.k = flat_input(found.k);
    return flat.k != kNoValue && flatten(flat) ? flat : found;
  }

 private:
  bool is(NodeId id, const char* type) const { return id != kNoNode && graph_.node(id).is(type); }
  NodeId producer(ValueId value) const { return value == kNoValue ? kNoNode : graph_.producer(value); }
  std::optional<Dims> dims(ValueId value, DType dtype = DType::kFloat32) const {
    const ir::Value& v = graph_.value(value);
    return v.dtype == dtype ? v.shape.static_dims() : std::nullopt;
  }
  bool read_once(ValueId value) const { return graph_.sole_consumer(value) != kNoNode; }

  /// Walks up over the mask and the scaling to the product; fills them in.
  NodeId before_softmax(ValueId value, Found& found) const {
    NodeId id = producer(value);
    if (is(id, "Add") && read_once(value)) {
      for (std::size_t slot : {0, 1}) {
        const ValueId rest = graph_.node(id).input(slot);
        const NodeId above = producer(rest);
        if (!is(above, "MatMul") && !is(above, "Mul") && !is(above, "Div")) continue;
        found.mask = graph_.node(id).input(1 - slot);
        if (!read_once(rest)) return kNoNode;
        value = rest, id = above;
        break;
      }
      if (found.mask == kNoValue) return kNoNode;
    }
    if (is(id, "MatMul")) return read_once(value) ? id : kNoNode;
    if (!is(id, "Mul") && !is(id, "Div")) return kNoNode;
    const ir::Node& node = graph_.node(id);
    const bool division = node.is("Div");
    for (std::size_t slot : {0, 1}) {
      const auto scalar = scalar_of(graph_, node.input(1 - slot));
      if (!scalar || (division && slot == 1) || graph_.value(node.input(1 - slot)).shape.rank() > 4) continue;
      found.scale = division ? 1 / *scalar : *scalar;
      return read_once(node.input(slot)) && read_once(value) ? producer(node.input(slot)) : kNoNode;
    }
    return kNoNode;
  }

  /// Types and shapes are those that the kernel takes; sets the heads.
  bool agree(Found& found, ValueId turned) const {
    const auto q = dims(found.q), k = dims(turned), v = dims(found.v);
    if (!q || !k || !v || q->size() != 4 || k->size() != 4 || v->size() != 4) return false;
    found.heads = (*q)[1];
    for (std::size_t axis : {0, 1})
      if ((*k)[axis] != (*q)[axis] || (*v)[axis] != (*q)[axis]) return false;
    if ((*q)[3] != (*k)[2] || (*v)[2] != (*k)[3] || element_count(*q) == 0 || element_count(*v) == 0) return false;
    if (found.mask == kNoValue) return true;
    const auto mask = dims(found.mask);
    if (!mask || mask->size() > 4) return false;
    const Dims full = {(*q)[0], (*q)[1], (*q)[2], (*k)[3]};
    for (std::size_t i = 0; i < mask->size(); ++i) {
      const std::int64_t size = (*mask)[mask->size() - 1 - i];
      if (size != 1 && size != full[3 - i]) return false;
    }
    return true;
  }

  /// [batch, positions, heads · width] that this Transpose's Reshape split into heads.
  ValueId flat_source(NodeId transpose) const {
    const NodeId split = producer(graph_.node(transpose).input(0));
    if (!is(split, "Reshape")) return kNoValue;
    const auto from = dims(graph_.node(split).input(0)), to = dims(graph_.node(split).output(0));
    if (!from || !to || from->size() != 3 || to->size() != 4) return kNoValue;
    if ((*from)[0] != (*to)[0] || (*from)[1] != (*to)[1] || (*from)[2] != (*to)[2] * (*to)[3]) return kNoValue;
    return graph_.node(split).input(0);
  }
  ValueId flat_input(ValueId heads) const {
    const NodeId id = producer(heads);
    return is(id, "Transpose") && graph_.node(id).ints_or("perm", {}) == kHeadsFirst ? flat_source(id) : kNoValue;
  }

  /// Takes the heads' Reshape and Transpose of Q, V and the result in; K's is in already.
  bool flatten(Found& found) const {
    const ValueId q = flat_input(found.q), v = flat_input(found.v);
    NodeId back = graph_.sole_consumer(found.result);
    DType type = DType::kFloat32;
    if (is(back, "QuantizeLinear")) {
      const auto view = quantized_by(graph_, back);
      if (!view || !view->per_tensor()) return false;
      found.quantizer = back, type = view->dtype;
      back = graph_.sole_consumer(view->q);
    }
    if (q == kNoValue || v == kNoValue || !is(back, "Transpose")) return false;
    if (graph_.node(back).ints_or("perm", {}) != kHeadsFirst) return false;
    const NodeId join = graph_.sole_consumer(graph_.node(back).output(0));
    if (!is(join, "Reshape")) return false;
    const auto from = dims(graph_.node(join).input(0), type), to = dims(graph_.node(join).output(0), type);
    if (!from || !to || to->size() != 3) return false;
    if ((*to)[0] != (*from)[0] || (*to)[1] != (*from)[1] || (*to)[2] != (*from)[2] * (*from)[3]) return false;
    found.q = q, found.v = v, found.result = graph_.node(join).output(0), found.last = join, found.flat = true;
    return true;
  }

  const Graph& graph_;
};

void replace(Graph& graph, const Found& found) {
  ir::Node node;
  node.op_type = "Attention";
  node.name = graph.node(graph.producer(found.result)).name;
  node.inputs = {found.q, found.k, found.v};
  if (found.mask != kNoValue) node.inputs.push_back(found.mask);
  node.set("scale", found.scale);
  node.set("q_num_heads", found.heads);
  node.set("kv_num_heads", found.heads);
  graph.set_output(found.last, 0, graph.add_value(""));
  node.outputs = {found.result};
  if (found.quantizer != kNoNode) {
    ir::Node quantize = graph.node(found.quantizer);
    node.outputs = {graph.add_value("", DType::kFloat32, graph.value(found.result).shape)};
    quantize.inputs[0] = node.outputs[0];
    quantize.outputs = {found.result};
    graph.add_node(std::move(node), found.last);
    graph.add_node(std::move(quantize), found.last);
  } else {
    graph.add_node(std::move(node), found.last);
  }
  graph.erase_node(found.last);
}

bool over_the_last_axis(const ir::Node& node, const Graph& graph, std::int64_t opset) {
  const std::int64_t axis = node.int_or("axis", opset < 13 ? 1 : -1);
  return graph.value(node.input(0)).shape.rank() == 4 && (axis == -1 || axis == 3);
}

int run(ir::Model& model) {
  Graph& graph = model.graph;
  int fused = 0;
  const std::vector<NodeId> order = graph.nodes();
  for (NodeId id : order) {
    if (!graph.has_node(id) || !graph.node(id).is("Softmax")) continue;
    if (!over_the_last_axis(graph.node(id), graph, model.opset())) continue;
    const auto found = Matcher(graph).at(id);
    if (!found) continue;
    replace(graph, *found);
    ++fused;
  }
  return fused;
}

}  // namespace

extern const passes::Pass k_attention;
const passes::Pass k_attention{"attention", "Softmax(Q · Kᵀ · scale + mask) · V → Attention", run};

}  // namespace pare::runtime
