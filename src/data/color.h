// Channel conversions of uint8 H×W×C images.
#pragma once

#include <string>
#include <vector>

#include "pare/tensor.h"

namespace pare::data {

/// Names that convert_color() accepts: rgb, bgr, gray.
const std::vector<std::string>& colors();

/// From 1 (gray), 3 (RGB) or 4 (RGB and alpha, which is dropped) channels. Gray is ITU-R 601 luma in Pillow's fixed
/// point.
Tensor convert_color(const Tensor& image, const std::string& color);

}  // namespace pare::data
