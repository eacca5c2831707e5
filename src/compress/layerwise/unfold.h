// What each output position of a convolution sees: the rows of its input matrix.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "ir/model.h"
#include "ir/ops/common/window.h"

namespace pare::compress {

/// Rows of `columns` = taps · inputs (the order of the weight's view) that one group of a convolution over one to three
/// spatial axes meets, a row for each output position of each sample. Holds a copy of the input with its channels last.
class Unfolder {
 public:
  /// `x` [N, C, spatial…]; `weight`: dims of the convolution's weight. Pads are the node's, or those that its auto_pad
  /// gives for this size. Error(kBadInput) naming the node whose attributes do not fit.
  Unfolder(const Tensor& x, const ir::Node& conv, const Dims& weight);

  std::int64_t positions() const { return samples_ * depth_.out * height_.out * width_.out; }
  std::int64_t columns() const { return depth_.kernel * height_.kernel * width_.kernel * inputs_; }
  /// Writes the rows [first, first + count) of a group into `out` [count, columns()], in parallel.
  void rows(std::int64_t group, std::int64_t first, std::int64_t count, std::span<float> out) const;
  /// The rows of these positions.
  void rows(std::int64_t group, std::span<const std::int64_t> positions, std::span<float> out) const;

 private:
  void row(std::int64_t group, std::int64_t position, float* out) const;

  std::int64_t samples_, channels_, inputs_;
  ir::ops::WindowAxis depth_, height_, width_;  ///< those that the input lacks have one position
  std::vector<float> last_;                     ///< [N, D, H, W, C]
};

/// All rows of one group: [positions, taps · inputs].
std::vector<float> unfold(const Tensor& x, const ir::Node& conv, const Dims& weight, std::int64_t group,
                          std::int64_t& positions);

}  // namespace pare::compress
