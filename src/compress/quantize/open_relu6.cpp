#include "compress/quantize/open_relu6.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "compress/quantize/rescale.h"

namespace pare::compress {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;

constexpr double kMostNoise = 1e-4;  // 40 dB: far below what 8 bits make

/// A bound of a Clip, an input since opset 11; NaN when it is no constant.
double bound(const Graph& graph, const Node& clip, std::size_t slot, const char* attribute, double absent) {
  if (clip.input(slot) == ir::kNoValue)
    return static_cast<double>(clip.float_or(attribute, static_cast<float>(absent)));
  const Tensor* given = graph.constant(clip.input(slot));
  return given && given->dtype() == DType::kFloat32 && given->numel() == 1
             ? static_cast<double>(given->data<float>()[0])
             : NAN;
}

bool is_relu6(const Graph& graph, NodeId id) {
  constexpr double kNone = std::numeric_limits<float>::infinity();
  const Node& node = graph.node(id);
  if (!node.is("Clip") || bound(graph, node, 1, "min", -kNone) != 0) return false;
  const double high = bound(graph, node, 2, "max", kNone);
  return high > 0 && high < kNone;
}

ir::Model opened(const ir::Model& model, const std::set<std::string>& clips) {
  ir::Model out = model;
  Graph& graph = out.graph;
  for (const std::string& name : clips) {
    const NodeId id = graph.find_node(name);
    Node relu;
    relu.name = name;
    relu.op_type = "Relu";
    relu.inputs = {graph.node(id).input(0)};
    relu.outputs = {graph.node(id).output(0)};
    graph.set_output(id, 0, graph.add_value(""));
    graph.erase_node(id);
    graph.add_node(std::move(relu));
  }
  graph.sort();
  return out;
}

/// Clips on the way from the layers that make a site's value to it, where nothing else keeps it from scaling along.
std::set<std::string> between_layers(const ir::Model& model, const std::vector<Layer>& layers) {
  std::set<std::string> all, found;
  for (const NodeId id : model.graph.nodes())
    if (is_relu6(model.graph, id)) all.insert(model.graph.node(id).name);
  if (all.empty()) return {};
  const ir::Model trial = opened(model, all);
  const Graph& graph = trial.graph;
  for (const ChannelSite& site : channel_sites(graph, layers)) {
    if (site.parts.empty()) continue;
    for (ir::ValueId value = site.value; graph.producer(value) != ir::kNoNode;) {
      const Node& node = graph.node(graph.producer(value));
      if (all.count(node.name)) found.insert(node.name);
      if (node.name == site.maker) break;
      value = node.input(graph.constant(node.input(0)) ? 1 : 0);
    }
  }
  return found;
}

}  // namespace

OpenedRelu6 open_relu6(ir::Model& model, const std::vector<Layer>& layers, const Probe& probe,
                       const StepContext& context) {
  OpenedRelu6 result;
  std::vector<std::pair<double, std::string>> noises;
  const std::set<std::string> clips = between_layers(model, layers);
  for (const std::string& clip : clips) {
    noises.emplace_back(probe.noise(opened(model, {clip})), clip);
    context.control.report(
        {"relu6", static_cast<std::int64_t>(noises.size()), static_cast<std::int64_t>(clips.size()), "nodes", {}, -1});
  }
  std::sort(noises.begin(), noises.end());
  std::size_t count = 0;
  for (double sum = 0; count < noises.size() && (sum += noises[count].first) <= kMostNoise;) ++count;
  for (; count > 0; --count) {
    std::set<std::string> chosen;
    for (std::size_t i = 0; i < count; ++i) chosen.insert(noises[i].second);
    ir::Model candidate = opened(model, chosen);
    const double noise = probe.noise(candidate);
    if (noise > kMostNoise) continue;
    result.snr_db = decibels(noise);
    result.opened.assign(chosen.begin(), chosen.end());
    model = std::move(candidate);
    break;
  }
  for (std::size_t i = count; i < noises.size(); ++i) result.kept[noises[i].second] = decibels(noises[i].first);
  return result;
}

}  // namespace pare::compress
