#include "compress/quantize/smooth.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/infer.h"

namespace pare::compress {

std::vector<double> smoothing_scales(std::span<const double> activations, std::span<const double> weights,
                                     double alpha) {
  constexpr double kLargest = 1e5;  // as the authors' code: beyond, a channel is dead rather than an outlier
  std::vector<double> scales;
  for (std::size_t j = 0; j < activations.size(); ++j) {
    const double s = std::pow(activations[j], alpha) / std::pow(weights[j], 1 - alpha);
    const bool usable = activations[j] > 0 && weights[j] > 0 && std::isfinite(s);
    scales.push_back(usable ? std::clamp(s, 1 / kLargest, kLargest) : 1);
  }
  return scales;
}

double predicted_noise(const ir::Graph& graph, const ChannelSite& site, const InputChannels& inputs,
                       std::span<const double> s) {
  double step = 0, power = 0;
  for (std::size_t j = 0; j < s.size(); ++j) {
    step = std::max(step, inputs.largest[j] / s[j] / 127);
    power += inputs.power[j] / (s[j] * s[j]);
  }
  double noise = 0;
  for (const Layer& layer : site.readers) {
    std::vector<double> largest(static_cast<std::size_t>(layer.weight.view.outputs), 0.0);
    double squares = 0;
    each_weight(graph, layer, [&](float w, std::size_t input, std::size_t output) {
      const double scaled = s[input] * static_cast<double>(w);
      squares += scaled * scaled;
      largest[output] = std::max(largest[output], std::fabs(scaled));
    });
    noise += step * step * squares;
    for (double most : largest)
      noise += most / 127 * (most / 127) * power * static_cast<double>(layer.weight.view.taps);
  }
  return noise / 12;
}

double predicted_strength(const ir::Graph& graph, const ChannelSite& site, const InputChannels& inputs) {
  constexpr int kSteps = 20;
  const std::vector<double> weights = largest_by_input(graph, site);
  double best = 0, least = std::numeric_limits<double>::infinity();
  for (int step = 0; step <= kSteps; ++step) {
    const double alpha = static_cast<double>(step) / kSteps;
    const double noise = predicted_noise(graph, site, inputs, smoothing_scales(inputs.largest, weights, alpha));
    if (noise < least) least = noise, best = alpha;
  }
  return best;
}

Smoothed smooth(ir::Model& model, const Placement& placement, const std::map<std::string, InputChannels>& inputs,
                std::optional<double> alpha) {
  Smoothed done;
  for (const ChannelSite& site : channel_sites(model.graph, placement.layers)) {
    const std::string name = model.graph.value(site.value).name;
    if (site.parts.empty() && !placement.readers.count(name)) {
      done.left[name] = site.why_not + "; integers make it";
      continue;
    }
    const InputChannels& seen = inputs.at(site.readers[0].name);
    const double strength = alpha ? *alpha : predicted_strength(model.graph, site, seen);
    rescale(model.graph, site, smoothing_scales(seen.largest, largest_by_input(model.graph, site), strength));
    done.strengths[name] = strength;
    if (site.parts.empty())
      done.multiplied[name] = site.why_not;
    else
      done.folded[name] = site.maker;
  }
  ir::infer_shapes(model);
  return done;
}

bool has_attention(const ir::Graph& graph) {
  return std::ranges::any_of(graph.nodes(), [&](ir::NodeId id) {
    const ir::Node& node = graph.node(id);
    if (!node.is("MatMul") || graph.constant(node.input(1))) return false;
    for (ir::NodeId from = graph.producer(node.input(0)); from != ir::kNoNode;
         from = graph.producer(graph.node(from).input(0))) {
      if (graph.node(from).is("Softmax")) return true;
      if (!graph.node(from).is("Cast") && !graph.node(from).is("Dropout")) return false;
    }
    return false;
  });
}

}  // namespace pare::compress
