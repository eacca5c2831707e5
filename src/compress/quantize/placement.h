// Which layers and values of a float graph become integers, so that chains of layers stay int8 and fuse.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "compress/targets.h"
#include "ir/model.h"

namespace pare::compress {

struct Placement {
  struct Skip {
    std::string node, reason;
  };

  std::vector<Layer> layers;                     ///< that compute on integers
  std::vector<std::vector<std::string>> groups;  ///< activation values; those of one group share scale and zero point
  /// By value, the nodes that read its integers, where the others read the float value: one that a float operator makes
  /// (a LayerNormalization before a residual branch) need not lose anything there.
  std::map<std::string, std::set<std::string>> readers;
  std::set<std::string> wide;                    ///< of the layers, those whose inputs have 16 bits
  std::vector<Skip> skipped;                     ///< selected layers that stay float, and why
};

/// Why a layer cannot compute on integers; "" when it can.
std::string why_float(const ir::Graph& graph, const Layer& layer);

/// The layers that include and exclude leave and that can compute on integers, and the others with the reason; `out`
/// gets the nodes that exclude names. `others`: further nodes that exclude may name. Error(kUsage) when the selectors
/// leave none, Error(kUnsupported) when none can.
Placement place_layers(const ir::Graph& graph, const nlohmann::json& options, std::span<const ir::NodeId> others,
                       std::set<ir::NodeId>& out, const std::string& subject);

/// place_layers(), and the values: one is quantized when an integer node reads it:
///  - Conv, Gemm, MatMul read integers; what follows them is quantized behind the fused Relu or Clip, not before it;
///  - Add of two activations, Concat, AveragePool, GlobalAveragePool and a spatial ReduceMean do when their own output
///    is read as integers (so nothing is quantized behind the last layer); Concat's inputs and output share parameters;
///    a target whose sums fuse leaves one summand float;
///  - MaxPool, Flatten, Reshape, Transpose, Squeeze, Unsqueeze and Identity pass parameters through.
/// `options` holds include (of layers) and exclude (of any node above); `floats`: names of layers to leave out besides.
/// Error(kUsage) as select_nodes.
Placement place_integers(const ir::Graph& graph, const nlohmann::json& options, const std::string& subject,
                         const std::set<std::string>& floats = {});

}  // namespace pare::compress
