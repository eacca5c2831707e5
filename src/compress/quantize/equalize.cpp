#include "compress/quantize/equalize.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/text.h"

namespace pare::compress {
namespace {

/// The layer that a site's division goes into.
std::optional<Layer> maker_of(const ir::Graph& graph, const ChannelSite& site) {
  for (const ChannelSite::Part& part : site.parts)
    if (const auto weight = ir::find_weight(graph, part.node); weight && part.slot == 1)
      return Layer{part.node, graph.node(part.node).name, graph.node(part.node).op_type, {}, *weight};
  return std::nullopt;
}

/// Returns the largest |log s|: how far from equal the pair was.
double equalize_pair(ir::Graph& graph, const ChannelSite& site, const Layer& maker) {
  const std::vector<double> first = largest_by_output(graph, maker), second = largest_by_input(graph, site);
  std::vector<double> s;
  double off = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    s.push_back(first[i] > 0 && second[i] > 0 ? std::sqrt(first[i] / second[i]) : 1);
    off = std::max(off, std::fabs(std::log(s.back())));
  }
  rescale(graph, site, s);
  return off;
}

}  // namespace

std::vector<std::string> equalize(ir::Model& model, const std::vector<Layer>& layers) {
  constexpr int kRounds = 50;
  constexpr double kEqual = 1e-3;
  std::vector<std::pair<ChannelSite, Layer>> pairs;
  std::vector<std::string> names;
  for (ChannelSite& site : channel_sites(model.graph, layers)) {
    const auto maker = maker_of(model.graph, site);
    if (!maker) continue;
    std::vector<std::string> readers;
    for (const Layer& reader : site.readers) readers.push_back(reader.name);
    names.push_back(maker->name + " → " + join(readers, ", "));
    pairs.emplace_back(std::move(site), *maker);
  }
  for (int round = 0; round < kRounds; ++round) {
    double off = 0;
    for (const auto& [site, maker] : pairs) off = std::max(off, equalize_pair(model.graph, site, maker));
    if (off < kEqual) break;
  }
  return names;
}

}  // namespace pare::compress
