// Random changes of training images, before normalisation.
#pragma once

#include <cstdint>

#include "data/dataset.h"

namespace pare::data {

/// pad_crop p: p zero pixels (black) around the image, then a crop of the old size at a random place (He et al., 2016);
/// hflip: mirrored left to right with probability 1/2. uint8 H×W×C to the same shape. The draws depend on seed, epoch
/// and sample alone.
Tensor augment(const Tensor& image, const Augment& settings, std::uint64_t seed, std::int64_t epoch,
               std::int64_t sample);

/// The deterministic part: the image seen from (top, left) of the padded one, mirrored when `flip`.
Tensor shift_and_flip(const Tensor& image, int pad, int top, int left, bool flip);

}  // namespace pare::data
