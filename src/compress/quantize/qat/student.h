// The model that quantization-aware training trains: the float model with FakeQuantize where QuantizeLinear and
// DequantizeLinear will stand; and the way back to integers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compress/quantize/qat/clusters.h"
#include "compress/quantize/qat/quantizers.h"
#include "passes/few_bits.h"

namespace pare::compress {

/// Weights: w → FakeQuantize → layer. Activations: x → FakeQuantize → its readers, once for values that a node only
/// moves on (MaxPool, Reshape …). Biases: on the grid step(x)·step(w) of their int32, which is not learned; they stay float
/// where activations do. Weights that share values (clusters.h) are read from these, which learn in their place; matrices
/// with groups are rounded row by row (grouping.h).
class QatStudent {
 public:
  /// `keep_clusters`: weights that share values go on to do so.
  QatStudent(const ir::Model& floats, const QatPlan& plan, bool keep_clusters = true);

  ir::Model model;  ///< trained in place: initializers change, ids do not

  /// Scales and offsets that are learned, and of these the clipping points of PACT.
  const std::vector<std::string>& learned() const noexcept { return learned_; }
  const std::vector<std::string>& clipping_points() const noexcept { return clipping_points_; }
  /// Scales that stay as they are.
  const std::vector<std::string>& fixed() const noexcept { return fixed_; }

  /// The values that a weight's clusters share.
  struct SharedWeight {
    Clusters clusters;
    std::string centroids;  ///< the parameter
  };
  const std::map<std::string, SharedWeight>& shared() const noexcept { return shared_; }  ///< by initializer

  /// What the trained student computes, as integers: the parameters of every value and weight, and the integers that
  /// its own rounding gives. `raised` counts weight scales that were raised for a bias.
  passes::QdqPlan integers(int& raised) const;
  /// The float model with the trained weights and biases.
  ir::Model floats() const;

 private:
  void insert_activations();
  void insert_weights();
  ir::NodeId insert_weight(const Layer& layer);
  void insert_bias(const Layer& layer);
  ir::NodeId insert(const std::string& base, ir::ValueId x, const ir::FakeQuantizer& how,
                    const std::vector<ir::ValueId>& given);
  std::vector<ir::ValueId> parameters(const std::string& base, const Quantizer& quantizer);
  passes::QuantParams activation_params(const Quantizer& quantizer, const std::vector<ir::ValueId>& given) const;
  /// As trained.
  Tensor weight_of(const std::string& initializer) const;
  passes::QuantParams weight_params_of(const Layer& layer, Tensor& integers) const;
  void add_weight(const Layer& layer, passes::QdqPlan& plan, int& raised) const;

  const ir::Model& floats_;
  const QatPlan& plan_;
  std::map<std::string, ir::ValueId> steps_;                 ///< by activation value: the step of its grid
  std::map<std::size_t, std::vector<ir::ValueId>> grouped_;  ///< scale and offset of a group of activations
  std::map<std::string, ir::NodeId> weight_nodes_;           ///< FakeQuantize by initializer
  std::map<std::string, ir::ValueId> rounded_weights_;       ///< what layers read of it
  std::map<std::string, SharedWeight> shared_;
  bool keep_clusters_;
  std::vector<std::string> learned_, clipping_points_, fixed_;
};

}  // namespace pare::compress
