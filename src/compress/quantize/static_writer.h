// The quantized model that a choice gives: what static quantization tries and, in the end, writes.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "compress/quantize/calibrator.h"
#include "compress/quantize/params.h"
#include "compress/quantize/placement.h"
#include "compress/quantize/probe.h"
#include "passes/qdq.h"

namespace pare::compress {

/// What decides how the model is written.
struct Choice {
  const Calibrator* calibrator = nullptr;
  bool correct_bias = false;
  std::set<std::string> floats;  ///< layers that stay float besides those that `exclude` names
  std::set<std::string> wide;    ///< layers that get 16-bit activations besides those that `activations.wide` names
  std::size_t reverted = 0;      ///< of these, layers that went back to float to keep max_drop
};

/// A float model and what was seen of it, from which quantized ones are made. All references outlive it.
class StaticWriter {
 public:
  StaticWriter(const ir::Model& model, const Statistics& statistics, const StepContext& context)
      : model_(model), statistics_(&statistics), context_(context) {}
  /// The same, but for ranges from other statistics, which outlive it.
  StaticWriter with(const Statistics& statistics) const {
    StaticWriter other = *this;
    other.statistics_ = &statistics;
    return other;
  }

  /// `wide`: as in Choice.
  Placement place(const std::set<std::string>& floats, const std::set<std::string>& wide = {}) const;
  /// `raised`: counts weight scales that were raised for a bias.
  passes::QdqPlan plan(const Placement& placement, const Calibrator& calibrator, int& raised) const;
  ir::Model write(const passes::QdqPlan& plan, const std::vector<Layer>& layers, bool correct_bias) const;
  ir::Model write(const Choice& choice) const;
  /// Layers whose inputs get 16 bits along with this one's; nullopt where something that is no layer reads them too.
  std::optional<std::set<std::string>> widened(const Layer& layer) const;
  /// Only this layer on integers: its input, read by no other node, and its weight.
  ir::Model write_one(const Layer& layer, const Choice& choice) const;
  /// Bits of weights by initializer, where they are not those of the options.
  void set_bits(std::map<std::string, int> bits) {
    bits_ = std::move(bits);
    weights_.clear();
  }
  /// Layers that stay float whatever a choice says.
  void keep_float(const std::set<std::string>& layers) {
    floats_.insert(layers.begin(), layers.end());
    groups_.clear();
  }
  /// Rounds the weights by what the layers see of training samples (layer_rounding.h); without it, to the nearest.
  void round_by_samples() { round_by_samples(place({}).layers, context_.options.at("weights")); }
  /// Of these layers, with other options than those given.
  void round_by_samples(const std::vector<Layer>& layers, const nlohmann::json& weights);
  bool rounded_by_samples(const Layer& layer) const { return integers_.count(layer.weight_name) > 0; }
  void round_to_nearest(const Layer& layer) {
    weights_.erase(layer.weight_name);
    integers_.erase(layer.weight_name);
  }
  /// Of 8-bit activations by value, where they are not the calibrator's.
  void set_ranges(std::map<std::string, Range> ranges) { ranges_ = std::move(ranges); }
  /// Before a choice that corrects biases.
  void observe_means(const std::vector<Layer>& layers);

 private:
  const std::vector<std::vector<std::string>>& all_groups() const;
  const std::set<std::string>& all_wide() const;
  std::set<std::string> wide_values(const Placement& placement) const;
  WeightSpec spec_of(const Layer& layer) const;
  const passes::QuantParams& rounded(const Layer& layer) const;
  void add_layer(passes::QdqPlan& plan, const Layer& layer, int& raised) const;

  const ir::Model& model_;
  const Statistics* statistics_;
  const StepContext& context_;
  std::map<std::string, InputChannels> channels_;
  mutable std::vector<std::vector<std::string>> groups_;
  mutable std::optional<std::set<std::string>> wide_;
  std::map<std::string, int> bits_;
  std::map<std::string, Range> ranges_;
  std::set<std::string> floats_;
  mutable std::map<std::string, passes::QuantParams> weights_;  ///< by initializer: each choice asks for them again
  mutable std::map<std::string, Tensor> integers_;              ///< of those rounded by samples, or to signs
};

}  // namespace pare::compress
