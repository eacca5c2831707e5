// Antialiased resizing, bit-equal to Pillow 11's: a convolution whose support grows with the reduction, in fixed point.
// (Pillow 13 resizes columns first for some sizes, which rounds differently.)
#pragma once

#include <string>
#include <vector>

#include "pare/tensor.h"

namespace pare::data {

/// Names that resize() accepts.
const std::vector<std::string>& resize_filters();

/// uint8 H×W×C to height×width×C with "bilinear" (triangle) or "bicubic" (Keys, 1981, a = −1/2) weights. Rows first,
/// then columns, each rounded to a byte; sizes must be positive.
Tensor resize(const Tensor& image, int height, int width, const std::string& filter);

}  // namespace pare::data
