// Σ x xᵀ of what layers see: the Hessian of a layer's squared output error.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "compress/method.h"
#include "compress/targets.h"

namespace pare::compress {

/// Why there is none for a layer, or another weight (weights.h); "": there is.
std::string why_no_hessian(const ir::Graph& graph, const Layer& layer);

/// `hessian`: [groups, columns, columns], columns = taps · inputs in the order of the weight's view.
using HessianVisitor = std::function<void(const Layer& layer, std::span<const double> hessian, std::int64_t groups)>;

/// What a layer reads of samples: of every group of its inputs Σ x xᵀ as above, Σ x, and the number of x.
struct LayerInputs {
  std::span<const double> hessian;
  std::span<const double> sums;  ///< [groups, columns]
  std::int64_t rows = 0, groups = 1;
};
using InputsVisitor = std::function<void(const Layer& layer, const LayerInputs& inputs)>;

/// H − Σx Σxᵀ / rows of each group: the Hessian of the error that is left when the bias takes its mean.
std::vector<double> centered_hessian(const LayerInputs& inputs);

/// As visit_hessians, with the sums.
void visit_inputs(const ir::Model& model, const std::vector<Layer>& layers, std::int64_t samples,
                  const StepContext& context, const InputsVisitor& visit);

/// Visits each layer that has one, on training samples of the float model. Positions that a mask hides (hidden.h) do not
/// count. Layers that read one value alike share it.
/// As many passes over the samples as it takes to hold at most 1 GiB of Hessians (or one layer's) at a time.
void visit_hessians(const ir::Model& model, const std::vector<Layer>& layers, std::int64_t samples,
                    const StepContext& context, const HessianVisitor& visit);

/// The model as far as these values, which become its outputs: what comes behind them is not computed. All of it where
/// there are none.
ir::Model up_to(const ir::Model& model, const std::vector<std::string>& values);

/// Runs of layers, in order, that read the same value: they see the same inputs, and none changes the other's.
std::vector<std::vector<Layer>> runs_of(const ir::Graph& graph, const std::vector<Layer>& layers);

/// H [n, n] with `damping` of the mean of its diagonal added to the diagonal; a column that never sees an input counts as
/// one of mean energy.
std::vector<double> damped_hessian(std::span<const double> hessian, std::size_t n, double damping);

/// Visits each layer as visit_hessians does, with Σ x² of the input that each element of its weight meets, in the
/// weight's layout: H's diagonal, without the work for the rest of it.
using EnergyVisitor = std::function<void(const Layer& layer, const std::vector<float>& energy)>;
void visit_energies(const ir::Model& model, const std::vector<Layer>& layers, std::int64_t samples,
                    const StepContext& context, const EnergyVisitor& visit);

/// The U of H⁻¹ = UᵀU for the damped H, its columns in this `order` or, when that is empty, as they are. Rounding of sums of
/// floats may leave eigenvalues below zero where inputs hardly vary; then `damping` is raised tenfold, and left so, until
/// there is a factor. Error(kBadInput) when there is none with a damping of 1 or more.
std::vector<double> damped_inverse_factor(std::span<const double> hessian, std::size_t n, double& damping,
                                          std::span<const std::size_t> order = {});

/// H's diagonal at the input that each element of the layer's weight meets, in the weight's layout.
std::vector<float> input_energy(const ir::WeightView& view, std::span<const double> hessian, std::int64_t groups);

}  // namespace pare::compress
