// Coupled channels: which of them can only be removed together, found by one walk over the axis relations that
// operators declare (op.h), and their physical removal.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/model.h"

namespace pare::ir {

/// One axis of one value that a group touches.
struct GroupAxis {
  ValueId value;
  std::int64_t axis;
  std::vector<std::int32_t> unit;  ///< by element: the unit that it goes with; −1: it is none of the group's
};

/// Channels that are alike: every unit touches the same axes. A unit is the least that can be removed: one channel
/// through residual sums, depthwise convolutions, concatenations …; a whole group of a grouped convolution.
struct ChannelGroup {
  std::string name;            ///< of the first of its layers
  std::vector<NodeId> layers;  ///< whose outputs are these channels: nodes that contract a constant weight, in order
  std::vector<ValueId> weights;
  std::vector<int> output_axes;  ///< of the layers' weights
  std::int64_t units = 0;
  std::int64_t block = 1;  ///< output channels of the first layer in one unit
  std::vector<GroupAxis> axes;
  std::string blocked;  ///< why none can be removed; "" when they can
};

struct GroupOptions {
  /// Channels that LayerNormalization and RMSNormalization normalize over may go: the hidden and the embedding width of a
  /// transformer. Means and variances are then those of what stays, so that the smaller model is not the masked original.
  bool through_norms = false;
};

/// The constant weight that makes the channels of a layer, and its axis of these: Conv, ConvTranspose of one group,
/// Gemm, MatMul, and LSTM, GRU, RNN (the hidden units, by the rows of the recurrent weights); nullopt for other nodes.
struct LayerWeight {
  ValueId value;
  int output_axis;
};
std::optional<LayerWeight> layer_weight(const Graph& graph, NodeId node);

/// Output channels of the group's first layer, but for those of the units in `removed` (ascending).
std::int64_t channels_of(const ChannelGroup& group, const std::vector<std::int64_t>& removed = {});

/// All groups with a layer (layer_weight), in the order of their first layers. Needs inferred shapes. A group is
/// blocked where it reaches a graph input or output, where a node works along one of its axes (Softmax over channels …)
/// or is not known, and where a size is computed at run time.
std::vector<ChannelGroup> channel_groups(const Model& model, const GroupOptions& options = {});

/// The slot of the Concat that writes `sizes` whose constant is the size of `axis`, when the Concat has one reader;
/// nullopt otherwise.
std::optional<std::size_t> written_part(const Graph& graph, ValueId sizes, std::int64_t axis);

/// Removes units from unblocked groups: from every constant (and its mask), the numbers of groups of convolutions and
/// normalizations, the sizes of Split and the targets of Reshape and Expand; shapes are inferred again. `removed[g]`:
/// units of groups[g], fewer than all. Error(kInternal) for a blocked group or a unit that does not exist.
void remove_units(Model& model, const std::vector<ChannelGroup>& groups,
                  const std::vector<std::vector<std::int64_t>>& removed);

}  // namespace pare::ir
