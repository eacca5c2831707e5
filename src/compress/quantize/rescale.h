// Moving a factor for each channel across the graph without changing what it computes: what SmoothQuant and cross-layer
// equalization share.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "compress/targets.h"

namespace pare::compress {

/// The layers that read one value, and what scaling its channels takes.
struct ChannelSite {
  ir::ValueId value = ir::kNoValue;
  std::vector<Layer> readers;
  std::int64_t channels = 0;
  std::int64_t spatial = 0;  ///< axes behind the channel's

  /// A constant that divides along with the channels: a weight's outputs, or a vector.
  struct Part {
    ir::NodeId node;
    std::size_t slot;
  };
  /// Where the division goes: the LayerNormalization or layer that makes the value, past Relu, LeakyRelu, pools and
  /// constant vectors, which scale along. Empty: it cannot, for this reason.
  std::vector<Part> parts;
  std::string why_not;
  std::string maker;  ///< name of the node that takes the division
};

/// One site for each value that `layers` read, in graph order. Sites whose readers disagree on the channels are left out.
std::vector<ChannelSite> channel_sites(const ir::Graph& graph, const std::vector<Layer>& layers);

/// Largest |w| of every input channel over the site's readers.
std::vector<double> largest_by_input(const ir::Graph& graph, const ChannelSite& site);
/// Calls `visit(w, channel of the node's input, output channel)` for every weight of a layer.
void each_weight(const ir::Graph& graph, const Layer& layer,
                 const std::function<void(float, std::size_t, std::size_t)>& visit);
/// Largest |w| of every output channel of a layer.
std::vector<double> largest_by_output(const ir::Graph& graph, const Layer& layer);

/// x → readers   becomes   x/s → readers with weights · s: the division goes into the site's parts, or, where it has
/// none, into a Mul by 1/s in front of the readers. `s`: positive, one for each channel.
void rescale(ir::Graph& graph, const ChannelSite& site, std::span<const double> s);

}  // namespace pare::compress
