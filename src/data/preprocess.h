// From a raw uint8 image to what the model is fed.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.h"

namespace pare::data {

/// The size that "resize: n" gives an image: its shorter side becomes n, the longer one keeps the ratio, rounded down.
std::pair<int, int> shorter_side_size(std::int64_t height, std::int64_t width, int side);

/// Colour, resize, centre crop: uint8 H×W×C to uint8. Throws Error(kBadInput) naming `where` when the image is smaller
/// than the crop.
Tensor prepare_geometry(const Tensor& image, const Preprocess& settings, const std::string& where);

/// Value/scale, then (v − mean)/std, by a table of 256 entries per channel, and the layout.
class Normalizer {
 public:
  /// Throws Error(kUsage) when mean or std have neither one nor `channels` entries.
  Normalizer(const Preprocess& settings, std::int64_t channels);

  bool channels_first() const noexcept { return channels_first_; }
  /// Writes height·width·channels floats.
  void write(const Tensor& image, float* out) const noexcept;

 private:
  std::vector<std::array<float, 256>> tables_;
  bool channels_first_;
};

/// The shape of one delivered sample: C×H×W or H×W×C.
Dims delivered_dims(const Tensor& image, const Preprocess& settings);

}  // namespace pare::data
