#include "compress/quantize/placement.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "compress/quantize/engine.h"
#include "pare/error.h"
#include "passes/few_bits.h"

namespace pare::compress {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::ValueId;

bool is_activation(const Graph& graph, ValueId id) {
  return id != ir::kNoValue && !graph.value(id).constant && !graph.value(id).captured &&
         (graph.value(id).dtype == DType::kFloat32 || graph.value(id).dtype == DType::kUndefined);
}

bool is_fused_activation(const Node& node) { return node.is("Relu") || node.is("Clip"); }

bool passes_through(const Node& node) { return passes::moves_elements(node) && !node.is("Concat"); }

/// Means over whole images, as exporters write GlobalAveragePool.
bool is_spatial_mean(const Graph& graph, const Node& node) {
  if (!node.is("ReduceMean")) return false;
  std::vector<std::int64_t> axes = node.ints_or("axes", {});
  if (const Tensor* given = graph.constant(node.input(1)); given && given->dtype() == DType::kInt64)
    axes.assign(given->data<std::int64_t>().begin(), given->data<std::int64_t>().end());
  std::sort(axes.begin(), axes.end());
  return axes == std::vector<std::int64_t>{2, 3} || axes == std::vector<std::int64_t>{-2, -1};
}

/// Nodes that are worth running on integers only between integer neighbours.
bool joins(const Graph& graph, const Node& node) {
  if (node.is("Add") || node.is("Concat"))
    return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return is_activation(graph, id); });
  return node.is("AveragePool") || node.is("GlobalAveragePool") || is_spatial_mean(graph, node);
}

/// Union–find over values that must share parameters.
class Shared {
 public:
  ValueId root(ValueId id) {
    auto [entry, inserted] = parent_.try_emplace(id, id);
    return inserted || entry->second == id ? id : entry->second = root(entry->second);
  }
  void join(ValueId a, ValueId b) { parent_[root(a)] = root(b); }

 private:
  std::map<ValueId, ValueId> parent_;
};

struct Sweep {
  const Graph& graph;
  const std::set<NodeId>& computing;
  const std::set<NodeId>& excluded;
  bool sums_fuse;
  std::set<ValueId> needed;
  std::map<ValueId, std::set<std::string>> readers;
  Shared shared;

  void need(ValueId id, const Node& reader) {
    needed.insert(id);
    readers[id].insert(reader.name);
  }

  /// Whether the value leaves an integer operator, behind which a quantization fuses.
  bool made_by_integers(ValueId id) const {
    NodeId producer = graph.producer(id);
    if (producer == ir::kNoNode) return true;
    if (is_fused_activation(graph.node(producer))) producer = graph.producer(graph.node(producer).input(0));
    if (producer == ir::kNoNode || excluded.count(producer)) return false;
    const Node& node = graph.node(producer);
    return computing.count(producer) || joins(graph, node) || passes_through(node);
  }

  bool output_needed(const Node& node) const {
    const ValueId out = node.output(0);
    if (needed.count(out)) return true;
    const NodeId next = graph.sole_consumer(out);
    return next != ir::kNoNode && is_fused_activation(graph.node(next)) && needed.count(graph.node(next).output(0));
  }

  /// The input of a sum that stays float, so that the sum fuses into the layer that makes it; none: past the end.
  std::size_t fused_summand(const Node& sum) const {
    for (std::size_t slot = sum.inputs.size(); sums_fuse && sum.is("Add") && slot-- > 0;) {
      const NodeId producer = graph.producer(sum.input(slot));
      if (computing.count(producer) && graph.sole_consumer(sum.input(slot)) != ir::kNoNode) return slot;
    }
    return sum.inputs.size();
  }

  void visit(NodeId id) {
    const Node& node = graph.node(id);
    if (computing.count(id)) {
      need(node.input(0), node);
    } else if (excluded.count(id)) {
      return;
    } else if (joins(graph, node) && output_needed(node)) {
      const std::size_t inputs = node.is("Add") || node.is("Concat") ? node.inputs.size() : 1;
      const std::size_t fused = fused_summand(node);
      for (std::size_t slot = 0; slot < inputs; ++slot) {
        if (slot == fused) continue;
        if (is_activation(graph, node.input(slot))) need(node.input(slot), node);
        if (node.is("Concat"))
          shared.join(node.input(slot), needed.count(node.output(0)) ? node.output(0) : node.input(0));
      }
    } else if (passes_through(node) && needed.count(node.output(0)) && is_activation(graph, node.input(0))) {
      need(node.input(0), node);
      shared.join(node.input(0), node.output(0));
    }
  }
};

std::vector<NodeId> other_nodes(const Graph& graph) {
  std::vector<NodeId> others;
  for (NodeId id : graph.nodes())
    if (joins(graph, graph.node(id)) || passes_through(graph.node(id))) others.push_back(id);
  return others;
}

}  // namespace

std::string why_float(const Graph& graph, const Layer& layer) {
  const Node& node = graph.node(layer.node);
  const ir::Value& weight = graph.value(layer.weight.value);
  if (!weight.constant || weight.constant->dtype() != DType::kFloat32) return "its weight is not float32";
  if (node.input(1) != layer.weight.value) return "its weight is not the second input";
  if (!is_activation(graph, node.input(0))) return "its input is not a float32 activation";
  if (node.is("MatMul")) return "";
  if (node.is("Gemm") && node.int_or("transA", 0) != 0) return "transA is set";
  if (node.is("Gemm") && node.float_or("alpha", 1) != 1) return "alpha is not 1";
  if (node.input(2) == ir::kNoValue) return "";
  const Tensor* bias = graph.constant(node.input(2));
  if (!bias || bias->dtype() != DType::kFloat32) return "its bias is not a float32 constant";
  if (bias->rank() != 1 || bias->numel() != layer.weight.view.outputs)
    return "its bias is not one number for each output channel";
  if (node.is("Gemm") && node.float_or("beta", 1) != 1) return "beta is not 1";
  return "";
}

Placement place_layers(const Graph& graph, const nlohmann::json& options, std::span<const NodeId> others,
                       std::set<NodeId>& out, const std::string& subject) {
  const std::vector<Layer> layers = find_layers(graph);
  if (layers.empty())
    throw Error(ErrorCode::kUnsupported, subject, "the model has no layer with weights", "Conv, Gemm or MatMul");
  auto include = options.at("include").get<std::vector<std::string>>();
  auto exclude = options.at("exclude").get<std::vector<std::string>>();
  const std::set<NodeId> in = select_nodes(graph, layers, {}, include, subject + ".include");
  out = select_nodes(graph, layers, others, exclude, subject + ".exclude");
  Placement placement;
  for (const Layer& layer : layers) {
    if ((!include.empty() && !in.count(layer.node)) || out.count(layer.node)) continue;
    std::string reason = why_float(graph, layer);
    if (reason.empty())
      placement.layers.push_back(layer);
    else
      placement.skipped.push_back({layer.name, reason});
  }
  if (placement.layers.empty()) {
    std::string why = placement.skipped.empty() ? "include and exclude leave no layer"
                                                : "no layer can be quantized; '" + placement.skipped[0].node +
                                                      "': " + placement.skipped[0].reason;
    throw Error(placement.skipped.empty() ? ErrorCode::kUsage : ErrorCode::kUnsupported, subject, why);
  }
  return placement;
}

Placement place_integers(const Graph& graph, const nlohmann::json& options, const std::string& subject,
                         const std::set<std::string>& floats) {
  std::set<NodeId> computing, out;
  const std::vector<NodeId> others = other_nodes(graph);
  Placement placement = place_layers(graph, options, others, out, subject);
  for (const Layer& layer : placement.layers)
    if (floats.count(layer.name)) out.insert(layer.node);
  std::erase_if(placement.layers, [&](const Layer& layer) { return floats.count(layer.name) > 0; });
  for (const Layer& layer : placement.layers) computing.insert(layer.node);
  Sweep sweep{graph, computing, out, engine_of(options).sums_fuse, {}, {}, {}};
  for (auto id = graph.nodes().rbegin(); id != graph.nodes().rend(); ++id) sweep.visit(*id);
  std::map<ValueId, std::vector<std::string>> groups;
  for (ValueId id : sweep.needed) {
    groups[sweep.shared.root(id)].push_back(graph.value(id).name);
    if (!sweep.made_by_integers(id)) placement.readers[graph.value(id).name] = sweep.readers[id];
  }
  for (auto& [root, names] : groups) placement.groups.push_back(std::move(names));
  return placement;
}

}  // namespace pare::compress
