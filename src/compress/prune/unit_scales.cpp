// The scales that BatchNormalization gives channels (importance.h): of nodes, and of what was folded when the model was
// read.
#include <cmath>
#include <set>

#include "compress/prune/importance.h"
#include "ir/notes.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

/// Σ|γ| over the channels of each unit; `unit_of`: by channel.
std::vector<double> by_unit(std::span<const float> scale, std::span<const std::int32_t> unit_of, std::int64_t units) {
  std::vector<double> sums(static_cast<std::size_t>(units), 0.0);
  for (std::size_t i = 0; i < scale.size(); ++i)
    if (unit_of[i] >= 0) sums[static_cast<std::size_t>(unit_of[i])] += std::fabs(static_cast<double>(scale[i]));
  return sums;
}

/// Of the nodes that scale the group's channels.
void add_nodes(const ir::Graph& graph, const ir::ChannelGroup& group, MeasuresOfLayers& measures) {
  for (const ir::GroupAxis& axis : group.axes) {
    const Tensor* scale = graph.constant(axis.value);
    if (!scale || scale->dtype() != DType::kFloat32) continue;
    for (ir::NodeId reader : graph.value(axis.value).consumers) {
      const ir::Node& node = graph.node(reader);
      if (node.is("BatchNormalization") && node.input(1) == axis.value)
        measures[{reader, group.name}].scale = by_unit(scale->data<float>(), axis.unit, group.units);
    }
  }
}

/// Of those that were folded into the group's layers. A layer whose channels an earlier step changed has none.
void add_folded(const ir::Graph& graph, const ir::Graph& original, const ir::ChannelGroup& group,
                MeasuresOfLayers& measures) {
  for (std::size_t l = 0; l < group.layers.size(); ++l) {
    const ir::ValueId was = original.find_value(graph.value(graph.node(group.layers[l]).output(0)).name);
    if (was == ir::kNoValue) continue;
    const std::vector<float> scale = ir::find_note(original.value(was), ir::kBatchNormScale);
    const FilterSet filters = filters_of(graph, group, l, nullptr, 0);
    if (!scale.empty() && scale.size() == filters.unit_of.size())
      measures[{group.layers[l], group.name}].scale = by_unit(scale, filters.unit_of, group.units);
  }
}

}  // namespace

MeasuresOfLayers measure_scales(const ir::Model& model, const ir::Model& original,
                                const std::vector<ir::ChannelGroup>& groups) {
  MeasuresOfLayers measures;
  for (const ir::ChannelGroup& group : groups) {
    if (!group.blocked.empty()) continue;
    add_nodes(model.graph, group, measures);
    add_folded(model.graph, original.graph, group, measures);
  }
  return measures;
}

void block_unscaled(const ir::Model& model, const ir::Model& original, std::vector<ir::ChannelGroup>& groups) {
  const MeasuresOfLayers measures = measure_scales(model, original, groups);
  if (measures.empty())
    throw Error(
        ErrorCode::kUnsupported, "prune.importance",
        "'bn-scale' reads BatchNormalization's scale, and no channels that may go have one: whoever exported the "
        "model folded it into the weights, or it has none, or an earlier step changed the channels",
        "a model with BatchNormalization, or an importance that needs none: l1 and l2 have a folded scale as a factor",
        "bn-scale");
  std::set<std::string> scaled;
  for (const auto& [key, unused] : measures) scaled.insert(key.second);
  for (ir::ChannelGroup& group : groups)
    if (group.blocked.empty() && !scaled.count(group.name)) group.blocked = "no BatchNormalization scales its channels";
}

}  // namespace pare::compress
