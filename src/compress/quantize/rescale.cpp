#include "compress/quantize/rescale.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "passes/rewrite.h"

namespace pare::compress {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::ValueId;

std::int64_t groups_of(const Node& node) { return node.is("Conv") ? node.int_or("group", 1) : 1; }

/// Calls `visit(index of the weight, channel of the node's input, output channel)`.
template <class Visit>
void each_index(const Graph& graph, const Layer& layer, Visit visit) {
  const ir::WeightView& view = layer.weight.view;
  const std::int64_t groups = groups_of(graph.node(layer.node));
  for (std::int64_t o = 0; o < view.outputs; ++o) {
    const std::int64_t first = o / (view.outputs / groups) * view.inputs;
    for (std::int64_t t = 0; t < view.taps; ++t)
      for (std::int64_t i = 0; i < view.inputs; ++i)
        visit(static_cast<std::size_t>(view.index(o, t, i)), static_cast<std::size_t>(first + i),
              static_cast<std::size_t>(o));
  }
}

/// f(x)·c = f(x·c) for c > 0, channel by channel.
bool scales_along(const Node& node) {
  static constexpr std::string_view kTypes[] = {"Relu", "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool"};
  return node.output(1) == ir::kNoValue &&
         std::any_of(std::begin(kTypes), std::end(kTypes), [&](std::string_view type) { return node.is(type); });
}

/// A f32 constant with one number for each channel and nothing else.
bool is_vector(const Graph& graph, ValueId id, const ChannelSite& site) {
  const Tensor* tensor = graph.constant(id);
  if (!tensor || tensor->dtype() != DType::kFloat32 || tensor->numel() != site.channels) return false;
  const std::int64_t axis = tensor->rank() - 1 - site.spatial;
  return axis >= 0 && tensor->dim(axis) == site.channels;
}

bool add_norm(const Graph& graph, NodeId id, ChannelSite& site) {
  const Node& node = graph.node(id);
  if (!node.is("LayerNormalization") || site.spatial != 0 || !is_vector(graph, node.input(1), site)) return false;
  if (node.input(2) != ir::kNoValue && !is_vector(graph, node.input(2), site)) return false;
  site.parts.push_back({id, 1});
  if (node.input(2) != ir::kNoValue) site.parts.push_back({id, 2});
  return true;
}

bool add_layer(const Graph& graph, NodeId id, ChannelSite& site) {
  const Node& node = graph.node(id);
  const auto weight = ir::find_weight(graph, id);
  if (!weight || weight->value != node.input(1) || weight->view.outputs != site.channels) return false;
  const Tensor* tensor = graph.constant(weight->value);
  if (!tensor || tensor->dtype() != DType::kFloat32 || node.is("Conv") != (site.spatial > 0)) return false;
  const ValueId bias = node.is("MatMul") ? ir::kNoValue : node.input(2);
  if (bias != ir::kNoValue && !is_vector(graph, bias, {.channels = site.channels})) return false;
  site.parts.push_back({id, 1});
  if (bias != ir::kNoValue) site.parts.push_back({id, 2});
  return true;
}

/// Slot of the constant vector that an Add or Mul applies; −1: none.
int vector_slot(const Graph& graph, const Node& node, const ChannelSite& site) {
  if (!node.is("Add") && !node.is("Mul")) return -1;
  for (int slot : {1, 0})
    if (is_vector(graph, node.input(static_cast<std::size_t>(slot)), site)) return slot;
  return -1;
}

/// Fills parts, or why_not.
void find_parts(const Graph& graph, ChannelSite& site) {
  const auto fail = [&](std::string why) {
    site.parts.clear();
    site.why_not = std::move(why);
  };
  const std::vector<NodeId>& readers = graph.value(site.value).consumers;
  const bool alone = !graph.is_output(site.value) && std::ranges::all_of(readers, [&](NodeId id) {
    return std::ranges::any_of(site.readers, [&](const Layer& layer) { return layer.node == id; });
  });
  if (!alone) return fail("others read its input too");
  const std::vector<std::string> captured = graph.captured_names();
  for (ValueId value = site.value;;) {
    if (std::ranges::find(captured, graph.value(value).name) != captured.end())
      return fail("a subgraph reads '" + graph.value(value).name + "'");
    const NodeId id = graph.producer(value);
    if (id == ir::kNoNode) return fail("its input comes from outside");
    if (value != site.value && graph.sole_consumer(value) == ir::kNoNode)
      return fail("others read '" + graph.value(value).name + "' too");
    const Node& node = graph.node(id);
    site.maker = node.name;
    if (add_norm(graph, id, site) || add_layer(graph, id, site)) return;
    const int slot = vector_slot(graph, node, site);
    if (slot >= 0) site.parts.push_back({id, static_cast<std::size_t>(slot)});
    if (slot >= 0 && node.is("Mul")) return;  // scaling its vector scales the product
    if (slot < 0 && !scales_along(node)) return fail(node.op_type + " '" + node.name + "' does not scale along");
    value = node.input(slot == 0 ? 1 : 0);
  }
}

/// Divides the channels of a part.
void divide(Graph& graph, const ChannelSite& site, const ChannelSite::Part& part, std::span<const double> s) {
  const ValueId id = graph.node(part.node).input(part.slot);
  Tensor scaled = graph.constant(id)->clone();
  auto values = scaled.mutable_data<float>();
  const auto by = [&](std::size_t at, std::size_t channel) {
    values[at] = static_cast<float>(static_cast<double>(values[at]) / s[channel]);
  };
  const auto weight = ir::find_weight(graph, part.node);
  if (weight && part.slot == 1 && weight->value == id) {
    each_index(graph, {part.node, {}, {}, {}, *weight},
                [&](std::size_t at, std::size_t, std::size_t output) { by(at, output); });
  } else {
    for (std::size_t c = 0; c < static_cast<std::size_t>(site.channels); ++c) by(c, c);
  }
  const std::string name = graph.value(id).name + "_rescaled";
  passes::replace_constant(graph, part.node, part.slot, std::move(scaled), name);
}

void insert_mul(Graph& graph, const ChannelSite& site, std::span<const double> s) {
  Dims dims = {site.channels};
  dims.resize(static_cast<std::size_t>(1 + site.spatial), 1);
  std::vector<float> inverse;
  for (double factor : s) inverse.push_back(static_cast<float>(1 / factor));
  const ir::Value value = graph.value(site.value);
  Node node;
  node.name = graph.unique_node_name(value.name + "_smooth");
  node.op_type = "Mul";
  node.inputs = {site.value, graph.add_initializer(value.name + "_smooth_scale", Tensor::from(dims, inverse))};
  node.outputs = {graph.add_value(value.name + "_smoothed", value.dtype, value.shape)};
  const ValueId smoothed = node.outputs[0];
  graph.add_node(std::move(node));
  for (const Layer& layer : site.readers) graph.set_input(layer.node, 0, smoothed);
  graph.sort();
}

}  // namespace

std::vector<ChannelSite> channel_sites(const Graph& graph, const std::vector<Layer>& layers) {
  std::vector<ChannelSite> sites;
  std::map<ValueId, std::size_t> at;
  std::vector<bool> agree;
  for (const Layer& layer : layers) {
    const Node& node = graph.node(layer.node);
    const std::int64_t channels = layer.weight.view.inputs * groups_of(node);
    const std::int64_t spatial = node.is("Conv") ? graph.constant(layer.weight.value)->rank() - 2 : 0;
    const auto [entry, first] = at.try_emplace(node.input(0), sites.size());
    if (first) {
      sites.push_back({.value = node.input(0), .readers = {}, .channels = channels, .spatial = spatial});
      agree.push_back(true);
    }
    ChannelSite& site = sites[entry->second];
    if (site.channels != channels || site.spatial != spatial) agree[entry->second] = false;
    site.readers.push_back(layer);
  }
  std::vector<ChannelSite> usable;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    if (!agree[i]) continue;
    find_parts(graph, sites[i]);
    usable.push_back(std::move(sites[i]));
  }
  return usable;
}

void each_weight(const Graph& graph, const Layer& layer,
                 const std::function<void(float, std::size_t, std::size_t)>& visit) {
  const auto values = graph.constant(graph.node(layer.node).input(1))->data<float>();
  each_index(graph, layer,
             [&](std::size_t at, std::size_t input, std::size_t output) { visit(values[at], input, output); });
}

std::vector<double> largest_by_input(const Graph& graph, const ChannelSite& site) {
  std::vector<double> largest(static_cast<std::size_t>(site.channels), 0.0);
  for (const Layer& layer : site.readers)
    each_weight(graph, layer, [&](float w, std::size_t input, std::size_t) {
      largest[input] = std::max(largest[input], static_cast<double>(std::fabs(w)));
    });
  return largest;
}

std::vector<double> largest_by_output(const Graph& graph, const Layer& layer) {
  std::vector<double> largest(static_cast<std::size_t>(layer.weight.view.outputs), 0.0);
  each_weight(graph, layer, [&](float w, std::size_t, std::size_t output) {
    largest[output] = std::max(largest[output], static_cast<double>(std::fabs(w)));
  });
  return largest;
}

void rescale(Graph& graph, const ChannelSite& site, std::span<const double> s) {
  for (const ChannelSite::Part& part : site.parts) divide(graph, site, part, s);
  if (site.parts.empty()) insert_mul(graph, site, s);
  for (const Layer& layer : site.readers) {
    const ValueId id = graph.node(layer.node).input(1);
    Tensor weight = graph.constant(id)->clone();
    auto values = weight.mutable_data<float>();
    each_index(graph, layer, [&](std::size_t at, std::size_t input, std::size_t) {
      values[at] = static_cast<float>(static_cast<double>(values[at]) * s[input]);
    });
    passes::replace_constant(graph, layer.node, 1, std::move(weight), graph.value(id).name + "_rescaled");
  }
}

}  // namespace pare::compress
