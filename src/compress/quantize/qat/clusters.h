// Weights that share few values, as k-means weight sharing leaves them, and their way through training: the values learn,
// who takes which one stays (cluster-preserving quantization-aware training; TensorFlow Model Optimization Toolkit,
// "Cluster preserving QAT", after Han et al., Deep Compression, 2016, section 3.2).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ir/graph.h"

namespace pare::compress {

struct Clusters {
  std::vector<float> centroids;       ///< of the tensor, or of all output channels one after the other
  std::vector<std::int64_t> members;  ///< by weight, in the tensor's order: its centroid
  bool by_channel = false;

  /// How many weights take a centroid on average.
  double mean_size() const { return static_cast<double>(members.size()) / static_cast<double>(centroids.size()); }
};

/// The values that the tensor's weights share, or those that each output channel's do: at most 256, besides 0, and of the
/// weights besides 0 no more than half as many, or nine tenths where none has more than 16; nullopt where neither holds. 0 is
/// a cluster of its own, so that pruned weights stay zero.
std::optional<Clusters> find_clusters(const Tensor& weight, int output_axis);

/// Gather(centroids, members): the weight, whose gradients meet in the centroids as sums. A centroid of 0 is masked. Returns
/// the Gather's output; `centroids` gets the initializer's id.
ir::ValueId insert_clusters(ir::Graph& graph, const std::string& weight, const Clusters& clusters, const Dims& dims,
                            ir::ValueId& centroids);

/// The weights of these centroids.
Tensor clustered_weight(const Clusters& clusters, const Tensor& centroids, const Dims& dims);

}  // namespace pare::compress
