#include "compress/quantize/absorb.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "compress/quantize/bias_correction.h"

namespace pare::compress {
namespace {

using ir::Graph;
using ir::Node;
using ir::ValueId;

bool is_rectifier(const Node& node) { return node.is("Relu") || node.is("LeakyRelu"); }

bool keeps_constants(const Node& node) {
  const auto pads = node.ints_or("pads", {});
  const bool padded = std::ranges::any_of(pads, [](std::int64_t pad) { return pad != 0; }) ||
                      node.string_or("auto_pad", "NOTSET") != "NOTSET";
  return node.is("MaxPool") || node.is("GlobalAveragePool") ||
         (node.is("AveragePool") && (!padded || node.int_or("count_include_pad", 0) == 0));
}

/// Two layers, and the value before the ReLU between them.
struct Pair {
  ChannelSite site;
  ValueId before = ir::kNoValue;
  Layer maker;
  std::string name;
};

/// The value that the rectifier in front of the site reads; kNoValue: there is none, or something else lies between.
ValueId before_rectifier(const Graph& graph, ValueId value) {
  for (bool rectified = false;;) {
    const ir::NodeId id = graph.producer(value);
    if (id == ir::kNoNode) return ir::kNoValue;
    const Node& node = graph.node(id);
    if (!is_rectifier(node) && !keeps_constants(node)) return rectified ? value : ir::kNoValue;
    rectified |= is_rectifier(node);
    value = node.input(0);
  }
}

std::string why_left(const Graph& graph, const Pair& pair) {
  if (!has_bias(graph, pair.maker)) return "'" + pair.maker.name + "' has no bias";
  for (const Layer& reader : pair.site.readers) {
    const Node& node = graph.node(reader.node);
    if (!has_bias(graph, reader)) return "'" + reader.name + "' has no bias";
    const bool pads = std::ranges::any_of(node.ints_or("pads", {}), [](std::int64_t pad) { return pad != 0; });
    const std::string automatic = node.string_or("auto_pad", "NOTSET");
    if (node.is("Conv") && (pads || (automatic != "NOTSET" && automatic != "VALID")))
      return "'" + reader.name + "' pads with zeros";
  }
  return "";
}

std::vector<Pair> pairs_of(const Graph& graph, const std::vector<Layer>& layers, Absorbed& done) {
  std::vector<Pair> pairs;
  for (ChannelSite& site : channel_sites(graph, layers)) {
    Pair pair{std::move(site), ir::kNoValue, {}, {}};
    pair.before = before_rectifier(graph, pair.site.value);
    const auto part = std::ranges::find_if(pair.site.parts, [&](const ChannelSite::Part& one) {
      const auto weight = ir::find_weight(graph, one.node);
      return weight && one.slot == 1;
    });
    if (pair.before == ir::kNoValue || part == pair.site.parts.end()) continue;
    const auto weight = ir::find_weight(graph, part->node);
    pair.maker = {part->node, graph.node(part->node).name, graph.node(part->node).op_type, {}, *weight};
    std::vector<std::string> readers;
    for (const Layer& reader : pair.site.readers) readers.push_back(reader.name);
    pair.name = pair.maker.name + " → " + join(readers, ", ");
    const std::string why = why_left(graph, pair);
    if (why.empty())
      pairs.push_back(std::move(pair));
    else
      done.left[pair.name] = why;
  }
  return pairs;
}

/// W₂·c of each output.
std::vector<double> carried(const Graph& graph, const Layer& reader, std::span<const double> c) {
  std::vector<double> shift(static_cast<std::size_t>(reader.weight.view.outputs), 0.0);
  each_weight(graph, reader, [&](float w, std::size_t input, std::size_t output) {
    shift[output] += static_cast<double>(w) * c[input];
  });
  return shift;
}

}  // namespace

std::vector<double> absorbed_shares(const InputChannels& before) {
  std::vector<double> c;
  for (std::size_t i = 0; i < before.mean.size(); ++i) {
    const double variance = std::max(0.0, before.power[i] - before.mean[i] * before.mean[i]);
    c.push_back(std::max(0.0, before.mean[i] - 3 * std::sqrt(variance)));
  }
  return c;
}

Absorbed absorb_biases(ir::Model& model, const std::vector<Layer>& layers, std::int64_t samples,
                       const StepContext& context) {
  Absorbed done;
  const std::vector<Pair> pairs = pairs_of(model.graph, layers, done);
  std::map<std::string, std::int64_t> values;
  for (const Pair& pair : pairs) values[model.graph.value(pair.before).name] = pair.site.spatial > 0 ? 1 : -1;
  const auto seen = value_channels(model, values, samples, context);
  for (const Pair& pair : pairs) {
    const std::vector<double> c = absorbed_shares(seen.at(model.graph.value(pair.before).name));
    const double largest = c.empty() ? 0 : *std::ranges::max_element(c);
    if (largest == 0) {
      done.left[pair.name] = "no channel stays above 0";
      continue;
    }
    std::vector<double> less;
    for (double one : c) less.push_back(-one);
    add_to_bias(model.graph, pair.maker, less);
    for (const Layer& reader : pair.site.readers) add_to_bias(model.graph, reader, carried(model.graph, reader, c));
    done.largest[pair.name] = largest;
  }
  return done;
}

}  // namespace pare::compress
