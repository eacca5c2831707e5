// Which layers are repaired: those whose integers cost the output most for what they compute. They get 16-bit inputs, or
// stay float.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compress/quantize/probe.h"

namespace pare::compress {

struct LayerSensitivity {
  std::string node;
  double snr_db;     ///< of the output when this layer alone computes on integers
  double mac_share;  ///< of the model's MACs
  bool kept;         ///< repaired
  bool wide = false;                    ///< by 16-bit inputs instead of staying float
  std::optional<double> wide_db = {};   ///< of the output when it alone computes on integers with 16-bit inputs, if tried
  std::optional<double> rounded_db = {};  ///< when its weights alone were rounded anew, if tried
};

/// A layer quantized alone.
struct Injection {
  std::string node;
  double noise, share;  ///< at the output, of its power; of the model's MACs
  bool kept = false, wide = false;
  std::optional<double> wide_noise = {}, rounded_noise = {};
};

/// What layers become: nothing of both for those on integers.
struct Repairs {
  std::set<std::string> floats, wide;
};

struct Protection {
  Repairs repairs;
  std::vector<LayerSensitivity> layers;   ///< worst first; empty when the target was met without
  double before_db = 0, after_db = 0;     ///< of the whole quantized model
  double mac_share = 0;                   ///< of the repaired layers
  std::set<std::string> rounded;          ///< layers for which rounding their weights anew was enough
  std::optional<double> float_db = {};    ///< of the whole with all of them float, where some were to get 16 bits
};

/// What sensitive layers become.
enum class RepairBy { kFloat, kWide, kEither };

struct ProtectionLimits {
  double target_db = 0;  ///< stop here
  double mac_share = 0;  ///< at most this much of the MACs, of layers with 16-bit inputs too: CPUs compute both in float
  RepairBy by = RepairBy::kFloat;
};

/// Quantizes the model as a whole, but for the named layers.
using QuantizeAll = std::function<ir::Model(const std::set<std::string>& floats)>;
/// Quantizes one layer of the float model: its input and its weight.
using QuantizeOne = std::function<ir::Model(const Layer& layer)>;

/// As protect_layers writes models to try.
struct Repairers {
  std::function<ir::Model(const Repairs&)> all;                    ///< quantized but for these
  std::function<ir::Model(const Layer& layer, bool wide)> one;     ///< only this layer on integers
  /// Layers that get 16-bit inputs along with this one; nullopt where others than layers would, or the target has none.
  std::function<std::optional<std::set<std::string>>(const Layer& layer)> widened;
  /// Rounds the weights of these layers better, and takes that back; null: they are as good as they get.
  std::function<void(const std::vector<Layer>& layers)> round;
  std::function<void(const Layer& layer)> unround;
};

/// What each layer's integers alone do to the output, in the layers' order: one compilation and one pass over the probe
/// for each.
std::vector<Injection> inject_layers(const ir::Model& model, const std::vector<Layer>& layers, const Probe& probe,
                                     const QuantizeOne& one, const StepContext& context);

/// Nothing when the quantized model reaches the target. Else each layer is quantized alone and the noise that it
/// injects is measured at the output; layers of most noise for their MACs are repaired until the target is predicted to be
/// met (noise of independent sources adds) or the share of MACs is spent. First their weights are rounded anew, which costs
/// nothing when the model runs, and is all that a layer gets that it rids of three quarters of its noise. Of the others, where
/// either is allowed, a layer gets 16-bit inputs when that takes three quarters of its noise away, only repaired layers get
/// them along with it, and rounding the input to 16 bits, a pass over it that a layer in float is spared, is little beside
/// the layer's own work: 64 MACs an element or more. The choice is then measured, beside all of them in float: 16 bits must
/// not cost half a decibel more unless the target is met, and what does not help is taken back. One compilation and one pass
/// over the probe for each layer.
Protection protect_layers(const ir::Model& model, const std::vector<Layer>& layers, const Probe& probe, double noise,
                          const ProtectionLimits& limits, const Repairers& make, const StepContext& context);

}  // namespace pare::compress
