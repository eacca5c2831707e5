// SmoothQuant (Xiao et al., SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language Models,
// 2023): outliers of activations live in few channels; dividing these channels and multiplying the weights that meet
// them makes both fit 8 bits.
#pragma once

#include <map>
#include <optional>

#include "compress/quantize/probe.h"
#include "compress/quantize/rescale.h"

namespace pare::compress {

/// s_j = |x_j|^α / |w_j|^(1−α) of the largest magnitudes of channel j (equation 4), 1 where either is 0 or the
/// quotient is no usable number.
std::vector<double> smoothing_scales(std::span<const double> activations, std::span<const double> weights,
                                     double alpha);

/// The α that makes the least noise at the site's outputs as uniform rounding of `s`-scaled activations and weights
/// predicts it, of a grid of twentieths:  Σ_o [ Δx²/12 · Σ_j (s_j w_oj)² + Δw_o²/12 · Σ_j E[x_j²]/s_j² ]  with
/// Δx = max_j |x_j|/s_j / 127 and Δw_o = max_j |s_j w_oj| / 127.
double predicted_strength(const ir::Graph& graph, const ChannelSite& site, const InputChannels& inputs);

/// What became of the sites: by the name of the value.
struct Smoothed {
  std::map<std::string, std::string> folded;    ///< into which node
  std::map<std::string, std::string> multiplied;  ///< by a Mul, since folding was not possible for this reason
  std::map<std::string, std::string> left;      ///< as it was, and why
  std::map<std::string, double> strengths;      ///< α of those that changed
};

/// `alpha`: nullopt takes predicted_strength() of each site. Rewrites the model; what it computes stays the same. A site that cannot be folded gets a Mul where the value is made
/// in float anyway (`placement.readers` has it), and is left alone where integers make it.
Smoothed smooth(ir::Model& model, const Placement& placement, const std::map<std::string, InputChannels>& inputs,
                std::optional<double> alpha);

/// Whether attention is computed: a Softmax feeds a product of two activations.
bool has_attention(const ir::Graph& graph);

}  // namespace pare::compress
