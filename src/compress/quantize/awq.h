// AWQ (Lin et al., AWQ: Activation-aware Weight Quantization for LLM Compression and Acceleration, 2023): the few input
// channels that see large activations matter most; scaling their weights up before rounding, and what they see down,
// makes their rounding finer.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "compress/quantize/layer_rounding.h"
#include "compress/quantize/rescale.h"

namespace pare::compress {

/// s_j = (mean |x_j|)^α, divided by √(max s · min s) as the authors' code does so that weights keep their size; 1 for a
/// channel that sees nothing. α 0: all 1 (equation 5).
std::vector<double> awq_scales(std::span<const double> magnitudes, double alpha);

/// Σ over the layer's outputs of the squared error that rounding to the nearest of the scaled weights makes,
/// ‖Q(W·s)(x/s) − W·x‖² (equation 4), on the grid that `spec` gives these. `hessian` and `groups` as visit_hessians has
/// them; `s`: one for each input channel of the node.
double awq_error(const Tensor& weight, const Layer& layer, const WeightSpec& spec, std::span<const double> hessian,
                 std::int64_t groups, std::span<const double> s);

/// What became of the values that layers read, by name.
struct AwqResult {
  std::map<std::string, std::string> folded;  ///< into which node
  std::map<std::string, std::string> left;    ///< as it was, and why
  std::map<std::string, double> strengths;    ///< α of those that changed
  std::map<std::string, double> gains;        ///< dB of the readers' output error
};

/// Rescales every value that `layers` read whose division the operator before it takes (rescale.h); what the model
/// computes stays the same. α: the given one, or for each value that of the twentieths from 0 to 1 by which its readers'
/// error is least, over `samples` of train. Layers without a Hessian do not vote.
AwqResult awq(ir::Model& model, const std::vector<Layer>& layers, const SpecOf& spec, std::optional<double> alpha,
              std::int64_t samples, const StepContext& context);

}  // namespace pare::compress
