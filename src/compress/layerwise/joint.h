// What a layer of a changed model sees, beside how far its output is from the original model's: the sums that a
// reconstruction of its weights needs.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "compress/method.h"
#include "compress/targets.h"

namespace pare::compress {

/// A layer of the changed model, and the value that is to be as the original's.
struct JointLayer {
  Layer layer;                     ///< of the changed model; one group
  std::string value;               ///< in both models: the layer's output, or one that follows it element by element
  std::vector<std::int64_t> kept;  ///< the original's channels of `value` that the changed model still has, ascending
};

/// Sums over output positions (pixels of all samples) of zᵀ·z for z = [x, 1, e]: x [columns] the unfolded inputs in the
/// changed model, e [outputs] the original's value minus the changed model's.
struct JointSums {
  std::int64_t columns = 0, outputs = 0;
  std::vector<double> gram;  ///< [columns + 1 + outputs]², both halves

  double at(std::int64_t row, std::int64_t column) const {
    return gram[static_cast<std::size_t>(row * (columns + 1 + outputs) + column)];
  }
  double positions() const { return at(columns, columns); }
  double input(std::int64_t i) const { return at(columns, i); }            ///< Σ x_i
  double error(std::int64_t o) const { return at(columns, error_at(o)); }  ///< Σ e_o
  std::int64_t error_at(std::int64_t o) const { return columns + 1 + o; }
};

/// One pass of both models over training samples, each computed no further than needed. Memory: the sums, and one
/// batch. `inputs` false: x is left out (columns = 0), and the layer need not be one that can be unfolded.
JointSums joint_sums(const ir::Model& original, const ir::Model& changed, const JointLayer& layer, bool inputs,
                     std::int64_t samples, const StepContext& context);

}  // namespace pare::compress
