// How much a channel matters: what structured pruning ranks by. One row of importances.inc each.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "compress/method.h"
#include "ir/groups.h"

namespace pare::compress {

/// What data says of the units of one layer; the vectors that were not asked for are empty.
struct UnitMeasures {
  // Of the layer's output maps behind their activation function:
  std::vector<double> mean;     ///< mean magnitude
  std::vector<double> nonzero;  ///< share of the values above zero
  std::vector<double> entropy;  ///< of the map averages over samples, in nats
  // Sums over the weights of a unit and over mini-batches; g: gradient of a batch's mean loss:
  std::vector<double> gradient;  ///< Σ|g|
  std::vector<double> product;   ///< Σ|w·g|
  std::vector<double> taylor;    ///< (Σ w·g)²
  std::vector<double> fisher;    ///< Σ w²·g²
  std::vector<double> inputs;    ///< Σ|w|·‖x‖, x: what the weight meets over samples and positions
  std::vector<double> scale;     ///< Σ|γ| of BatchNormalization over a unit's channels
};

/// The filters of one layer, as an importance sees them.
struct FilterSet {
  const Tensor& weight;                   ///< f32
  std::int64_t inner;                     ///< elements of the weight in one step along its output axis
  std::span<const std::int32_t> unit_of;  ///< by position on the output axis; −1: in no unit of this group
  std::int64_t units;
  const UnitMeasures* measures;  ///< null unless the importance asks for data
  std::uint64_t seed;            ///< differs from group to group

  /// visit(unit, value, place in memory) for every weight of every unit, in memory order.
  template <typename Visit>
  void for_each_place(Visit visit) const {
    const auto values = weight.data<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::int32_t unit = unit_of[i / static_cast<std::size_t>(inner) % unit_of.size()];
      if (unit >= 0) visit(static_cast<std::size_t>(unit), static_cast<double>(values[i]), i);
    }
  }
  /// visit(unit, value).
  template <typename Visit>
  void for_each(Visit visit) const {
    for_each_place([&](std::size_t unit, double value, std::size_t) { visit(unit, value); });
  }
};

struct Importance {
  /// What its score is made of beside weights. Gradients: of mini-batches, or of each sample.
  enum class Data { kNone, kNorms, kInputs, kActivations, kGradients, kSampleGradients };
  std::string_view name, summary, paper;
  Data data;
  /// One number ≥ 0 a unit; only their order and ratios within the layer count.
  std::vector<double> (*score)(const FilterSet&);
};

/// Needs labels or targets and the trainer.
inline bool needs_loss(const Importance& importance) {
  return importance.data == Importance::Data::kGradients || importance.data == Importance::Data::kSampleGradients;
}
/// Needs training samples.
inline bool needs_samples(const Importance& importance) {
  return importance.data != Importance::Data::kNone && importance.data != Importance::Data::kNorms;
}

/// All rows of importances.inc.
std::span<const Importance* const> importances();
/// Error(kUsage) with a suggestion when unknown.
const Importance& find_importance(std::string_view name);

/// The filters of the group's layer `layer`, an index of group.layers.
FilterSet filters_of(const ir::Graph& graph, const ir::ChannelGroup& group, std::size_t layer,
                     const UnitMeasures* measures, std::uint64_t seed);

/// By layer (of scales: also by BatchNormalization node) and group (a layer with several kinds of channels is in
/// several).
using MeasuresOfLayers = std::map<std::pair<ir::NodeId, std::string>, UnitMeasures>;

/// Passes over `samples` of train and measures what `kind` says of the unblocked groups. Gradients need labels or
/// targets: Error(kUsage) without. Inputs: a layer that cannot be unfolded counts as one whose inputs are all alike.
MeasuresOfLayers measure_units(const ir::Model& model, const std::vector<ir::ChannelGroup>& groups,
                               Importance::Data kind, std::int64_t samples, const StepContext& context);

/// Scales of the BatchNormalization nodes on the unblocked groups' channels, and of those that were folded into their
/// layers: as noted of the layers of the same output in `original`, which passes have read from a file in this process.
MeasuresOfLayers measure_scales(const ir::Model& model, const ir::Model& original,
                                const std::vector<ir::ChannelGroup>& groups);
/// Blocks the groups without such scales. Error(kUnsupported) where none has any.
void block_unscaled(const ir::Model& model, const ir::Model& original, std::vector<ir::ChannelGroup>& groups);

/// Score of every unit of a group: mean over its layers (of scales: over its BatchNormalizations) of the unit's score
/// there, relative to the layer's mean, so that no layer outweighs the others.
std::vector<double> score_units(const ir::Graph& graph, const ir::ChannelGroup& group, const Importance& importance,
                                const MeasuresOfLayers& measures, std::uint64_t seed);

}  // namespace pare::compress
