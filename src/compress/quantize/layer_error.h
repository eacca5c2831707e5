// The squared output error of a layer whose weights are rounded, in the form tr(ΔW H ΔWᵀ): what every rounding by
// samples minimizes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compress/targets.h"
#include "passes/qdq.h"

namespace pare::compress {

/// A layer, its grid and what it sees. `hessian`: Σ x xᵀ over samples, row-major over columns t·inputs + i of the weight's
/// view; of a convolution with groups one after the other, [groups, columns, columns]. All references outlive it.
struct RoundedLayer {
  std::span<const float> weight;
  const ir::WeightView& view;
  const passes::QuantParams& params;
  const passes::ParamMap& map;
  std::span<const double> hessian;
  std::int64_t groups = 1;

  std::size_t columns() const { return static_cast<std::size_t>(view.taps * view.inputs); }
  std::int64_t outputs_of_group() const { return view.outputs / groups; }
  std::size_t element(std::int64_t output, std::size_t column) const {
    const auto c = static_cast<std::int64_t>(column);
    return static_cast<std::size_t>(view.index(output, c / view.inputs, c % view.inputs));
  }
  /// [columns, columns] of a group.
  std::span<const double> hessian_of(std::int64_t group) const {
    const std::size_t part = columns() * columns();
    return hessian.subspan(static_cast<std::size_t>(group) * part, part);
  }
  double scale(std::size_t element) const { return static_cast<double>(params.scale[map(element)]); }
  std::int32_t zero(std::size_t element) const { return params.zero_point[map(element)]; }
};

/// The levels of rounding to the nearest; exact zeros get the zero point.
std::vector<std::int32_t> nearest_levels(const RoundedLayer& layer);

/// (ŵ − w)ᵀ H (ŵ − w) of every output, for integers on the layer's grid.
std::vector<double> output_errors(const RoundedLayer& layer, std::span<const std::int32_t> integers);

/// Σ over columns of (ŵ − w)·x for the sums x of each group's columns [groups, columns], of every output.
std::vector<double> output_shifts(const RoundedLayer& layer, std::span<const std::int32_t> integers,
                                  std::span<const double> x);

}  // namespace pare::compress
