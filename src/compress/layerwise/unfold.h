// What each output position of a convolution sees: the rows of its input matrix.
#pragma once

#include <span>
#include <vector>

#include "ir/model.h"

namespace pare::compress {

/// Rows of `columns` = taps · inputs (the order of the weight's view) that one group of a convolution of images meets,
/// a row for each output position of each sample. Holds a copy of the input with its channels last.
class Unfolder {
 public:
  /// `x` [N, C, H, W]; `weight`: dims of the convolution's weight.
  Unfolder(const Tensor& x, const ir::Node& conv, const Dims& weight);

  std::int64_t positions() const { return samples_ * rows_ * columns_; }
  std::int64_t columns() const { return kernel_[0] * kernel_[1] * inputs_; }
  /// Writes the rows [first, first + count) of a group into `out` [count, columns()], in parallel.
  void rows(std::int64_t group, std::int64_t first, std::int64_t count, std::span<float> out) const;

 private:
  void row(std::int64_t group, std::int64_t position, float* out) const;

  std::int64_t samples_, channels_, height_, width_, inputs_;
  std::vector<std::int64_t> stride_, dilation_, pads_, kernel_;
  std::int64_t rows_, columns_;  ///< of the output
  std::vector<float> last_;      ///< [N, H, W, C]
};

/// All rows of one group: [positions, taps · inputs].
std::vector<float> unfold(const Tensor& x, const ir::Node& conv, const Dims& weight, std::int64_t group,
                          std::int64_t& positions);

}  // namespace pare::compress
