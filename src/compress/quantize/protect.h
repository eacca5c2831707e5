// Which layers stay float: those whose integers cost the output most for what they compute.
#pragma once

#include <functional>
#include <set>

#include "compress/quantize/probe.h"

namespace pare::compress {

struct LayerSensitivity {
  std::string node;
  double snr_db;     ///< of the output when this layer alone computes on integers
  double mac_share;  ///< of the model's MACs
  bool kept;         ///< stays float
};

/// A layer quantized alone.
struct Injection {
  std::string node;
  double noise, share;  ///< at the output, of its power; of the model's MACs
  bool kept = false;
};

struct Protection {
  std::set<std::string> floats;           ///< layers to leave out
  std::vector<LayerSensitivity> layers;   ///< worst first; empty when the target was met without
  double before_db = 0, after_db = 0;     ///< of the whole quantized model
  double mac_share = 0;                   ///< left in float by this choice
};

struct ProtectionLimits {
  double target_db = 0;  ///< stop here
  double mac_share = 0;  ///< at most this much of the MACs
};

/// Quantizes the model as a whole, but for the named layers.
using QuantizeAll = std::function<ir::Model(const std::set<std::string>& floats)>;
/// Quantizes one layer of the float model: its input and its weight.
using QuantizeOne = std::function<ir::Model(const Layer& layer)>;

/// What each layer's integers alone do to the output, in the layers' order: one compilation and one pass over the probe
/// for each.
std::vector<Injection> inject_layers(const ir::Model& model, const std::vector<Layer>& layers, const Probe& probe,
                                     const QuantizeOne& one, const StepContext& context);

/// Nothing when the quantized model reaches the target. Else each layer is quantized alone and the noise that it
/// injects is measured at the output; layers of most noise for their MACs stay float until the target is predicted to
/// be met (noise of independent sources adds) or the share of MACs is spent; then the choice is measured, and taken
/// back when it does not help. One compilation and one pass over the probe for each layer.
Protection protect_layers(const ir::Model& model, const std::vector<Layer>& layers, const Probe& probe, double noise,
                          const ProtectionLimits& limits, const QuantizeAll& all, const QuantizeOne& one,
                          const StepContext& context);

}  // namespace pare::compress
