#include "compress/quantize/qat/clusters.h"

#include <algorithm>
#include <map>

#include "passes/qdq.h"

namespace pare::compress {
namespace {

constexpr std::size_t kMostValues = 256, kFewValues = 16;

/// Floats that were not shared hardly ever repeat. Few values of few weights (eight for the nine of a small filter) repeat
/// less than many, but never by chance so often.
bool are_shared(std::size_t values, std::size_t weights, std::size_t most) {
  return values > 0 && (2 * values <= weights || (most <= kFewValues && 10 * values <= 9 * weights));
}

/// The clusters of weights that lie in `parts` parts, a part's index by element.
std::optional<Clusters> clusters_of(std::span<const float> weights, const passes::ParamMap& part_of, std::size_t parts) {
  std::vector<std::map<float, std::int64_t>> found(parts);  // +0 and −0 are one value
  std::size_t others = 0, values = 0, most = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    found[part_of(i)].try_emplace(weights[i], 0);
    if (weights[i] != 0) ++others;
  }
  Clusters clusters;
  for (auto& part : found) {
    const std::size_t own = part.size() - part.count(0.0F);
    if (own > kMostValues) return std::nullopt;
    values += own;
    most = std::max(most, own);
    for (auto& [value, index] : part) {
      index = static_cast<std::int64_t>(clusters.centroids.size());
      clusters.centroids.push_back(value);
    }
  }
  if (!are_shared(values, others, most)) return std::nullopt;
  for (std::size_t i = 0; i < weights.size(); ++i) clusters.members.push_back(found[part_of(i)].at(weights[i]));
  return clusters;
}

}  // namespace

std::optional<Clusters> find_clusters(const Tensor& weight, int output_axis) {
  const auto values = weight.data<float>();
  if (auto whole = clusters_of(values, passes::ParamMap({}, weight.dims()), 1)) return whole;
  const passes::ParamMap channel({.axis = output_axis}, weight.dims());
  auto each = clusters_of(values, channel, channel.count());
  if (each) each->by_channel = true;
  return each;
}

ir::ValueId insert_clusters(ir::Graph& graph, const std::string& weight, const Clusters& clusters, const Dims& dims,
                            ir::ValueId& centroids) {
  const auto count = static_cast<std::int64_t>(clusters.centroids.size());
  centroids = graph.add_initializer(weight + "_centroids", Tensor::from({count}, clusters.centroids));
  if (std::find(clusters.centroids.begin(), clusters.centroids.end(), 0.0F) != clusters.centroids.end()) {
    Tensor mask(DType::kUint8, {count});
    for (std::size_t i = 0; i < clusters.centroids.size(); ++i)
      mask.mutable_data<std::uint8_t>()[i] = clusters.centroids[i] != 0;
    graph.value(centroids).mask = std::move(mask);
  }
  ir::Node gather;
  gather.name = graph.unique_node_name(weight + "_Gather");
  gather.op_type = "Gather";
  gather.inputs = {centroids, graph.add_initializer(weight + "_members", Tensor::from(dims, clusters.members))};
  gather.outputs = {graph.add_value(weight + "_shared")};
  gather.set("axis", std::int64_t{0});
  return graph.node(graph.add_node(std::move(gather))).output(0);
}

Tensor clustered_weight(const Clusters& clusters, const Tensor& centroids, const Dims& dims) {
  Tensor weight(DType::kFloat32, dims);
  auto values = weight.mutable_data<float>();
  const auto from = centroids.data<float>();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = from[static_cast<std::size_t>(clusters.members[i])];
  return weight;
}

}  // namespace pare::compress
