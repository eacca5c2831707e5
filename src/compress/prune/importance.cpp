#include "compress/prune/importance.h"

#include <algorithm>
#include <numeric>

#include "base/hash.h"
#include "base/text.h"
#include "pare/error.h"

namespace pare::compress {

#define PARE_IMPORTANCE(file, function) const Importance& function();
#include "compress/prune/importances.inc"
#undef PARE_IMPORTANCE

std::span<const Importance* const> importances() {
  static const Importance* const table[] = {
#define PARE_IMPORTANCE(file, function) &function(),
#include "compress/prune/importances.inc"
#undef PARE_IMPORTANCE
  };
  return table;
}

const Importance& find_importance(std::string_view name) {
  std::vector<std::string> names;
  for (const Importance* importance : importances()) {
    if (importance->name == name) return *importance;
    names.emplace_back(importance->name);
  }
  throw Error(ErrorCode::kUsage, "prune.importance",
              "unknown: '" + std::string(name) + "'" + did_you_mean(std::string(name), names));
}

FilterSet filters_of(const ir::Graph& graph, const ir::ChannelGroup& group, std::size_t layer,
                     const UnitMeasures* measures, std::uint64_t seed) {
  const Tensor& weight = *graph.constant(group.weights[layer]);
  const int output_axis = group.output_axes[layer];
  const auto axis = std::find_if(group.axes.begin(), group.axes.end(), [&](const ir::GroupAxis& one) {
    return one.value == group.weights[layer] && one.axis == output_axis;
  });
  if (axis == group.axes.end())
    throw Error(ErrorCode::kInternal, group.name, "the group lacks its layer's output axis");
  std::int64_t inner = 1;
  for (std::int64_t i = output_axis + 1; i < weight.rank(); ++i) inner *= weight.dim(i);
  return {weight, inner, axis->unit, group.units, measures, seed};
}

std::vector<double> score_units(const ir::Graph& graph, const ir::ChannelGroup& group, const Importance& importance,
                                const MeasuresOfLayers& measures, std::uint64_t seed) {
  std::vector<std::vector<double>> parts;
  if (importance.data == Importance::Data::kNorms) {
    for (const auto& [key, found] : measures)
      if (key.second == group.name) parts.push_back(importance.score(filters_of(graph, group, 0, &found, seed)));
  } else {
    for (std::size_t l = 0; l < group.layers.size(); ++l) {
      const auto found = measures.find({group.layers[l], group.name});
      const std::uint64_t own = seed ^ hash64(graph.node(group.layers[l]).name);
      parts.push_back(
          importance.score(filters_of(graph, group, l, found == measures.end() ? nullptr : &found->second, own)));
    }
  }
  std::vector<double> scores(static_cast<std::size_t>(group.units), 0.0);
  for (const std::vector<double>& here : parts) {
    const double mean = std::accumulate(here.begin(), here.end(), 0.0) / static_cast<double>(here.size());
    for (std::size_t u = 0; u < scores.size(); ++u)
      scores[u] += mean > 0 ? here[u] / mean / static_cast<double>(parts.size()) : 0;
  }
  return scores;
}

}  // namespace pare::compress
