// Sliding windows: the attributes that convolution and pooling share, and padding as numbers for a given input size.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/lowering.h"

namespace pare::train {

struct Window {
  std::vector<std::int64_t> kernel, strides, dilations;
  std::vector<std::int64_t> pads;  ///< begins, then ends (ONNX); empty while auto_pad decides
  std::string auto_pad;            ///< "" or SAME_UPPER, SAME_LOWER
  std::int64_t axes() const { return static_cast<std::int64_t>(kernel.size()); }
  /// Begins, then ends, for an input of these spatial sizes.
  std::vector<std::int64_t> pads_for(at::IntArrayRef sizes) const;
};

/// Reads kernel_shape (or `kernel` when the weight gives it), strides, dilations, pads and auto_pad. Refuses
/// inconsistent ones and more than three spatial axes.
Window read_window(const LowerContext& context, std::vector<std::int64_t> kernel);

bool is_symmetric(const std::vector<std::int64_t>& pads);
/// Pads the spatial axes of [N, C, …] explicitly.
at::Tensor pad_spatial(const at::Tensor& x, const std::vector<std::int64_t>& pads, double value);

}  // namespace pare::train
