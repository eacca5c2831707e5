#include "data/preprocess.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>

#include "data/color.h"
#include "data/resize.h"
#include "pare/error.h"

namespace pare::data {

namespace {

Tensor center_crop(const Tensor& image, int height, int width, const std::string& where) {
  const std::int64_t in_height = image.dim(0), in_width = image.dim(1), channels = image.dim(2);
  if (in_height == height && in_width == width) return image;
  if (in_height < height || in_width < width) {
    throw Error(ErrorCode::kBadInput, where, "the image is smaller than preprocess.crop; set preprocess.resize too",
                std::to_string(height) + "x" + std::to_string(width),
                std::to_string(in_height) + "x" + std::to_string(in_width));
  }
  // An odd margin is split with ties to even, as torchvision does.
  const auto top = static_cast<std::int64_t>(std::nearbyint(static_cast<double>(in_height - height) / 2));
  const auto left = static_cast<std::int64_t>(std::nearbyint(static_cast<double>(in_width - width) / 2));
  Tensor result(DType::kUint8, {height, width, channels});
  const std::uint8_t* in = image.data<std::uint8_t>().data() + (top * in_width + left) * channels;
  std::uint8_t* out = result.mutable_data<std::uint8_t>().data();
  const auto row = static_cast<std::size_t>(width * channels);
  for (int y = 0; y < height; ++y, in += in_width * channels, out += row) std::memcpy(out, in, row);
  return result;
}

float entry(const std::vector<double>& values, std::int64_t channel, float absent) {
  if (values.empty()) return absent;
  return static_cast<float>(values[values.size() == 1 ? 0 : static_cast<std::size_t>(channel)]);
}

void check_channels(const std::vector<double>& values, std::int64_t channels, const char* key) {
  if (values.size() <= 1 || static_cast<std::int64_t>(values.size()) == channels) return;
  throw Error(ErrorCode::kUsage, std::string("preprocess.") + key,
              "needs one number, or one for each channel of the images", std::to_string(channels),
              std::to_string(values.size()));
}

}  // namespace

std::pair<int, int> shorter_side_size(std::int64_t height, std::int64_t width, int side) {
  const auto longer =
      static_cast<int>(static_cast<std::int64_t>(side) * std::max(height, width) / std::min(height, width));
  return height < width ? std::pair{side, longer} : std::pair{longer, side};
}

Tensor prepare_geometry(const Tensor& image, const Preprocess& settings, const std::string& where) {
  Tensor result = settings.color.empty() ? image : convert_color(image, settings.color);
  if (settings.resize) {
    auto [height, width] = *settings.resize;
    if (settings.resize_shorter_side) {
      std::tie(height, width) = shorter_side_size(result.dim(0), result.dim(1), height);
    }
    result = resize(result, height, width, settings.interpolation);
  }
  if (settings.crop) result = center_crop(result, settings.crop->first, settings.crop->second, where);
  return result;
}

Normalizer::Normalizer(const Preprocess& settings, std::int64_t channels) : channels_first_(settings.layout == "NCHW") {
  check_channels(settings.mean, channels, "mean");
  check_channels(settings.std, channels, "std");
  tables_.resize(static_cast<std::size_t>(channels));
  for (std::int64_t c = 0; c < channels; ++c) {
    // In float, in this order: the same bits as training pipelines that scale to [0, 1] and then normalise.
    const auto scale = static_cast<float>(settings.scale);
    const float mean = entry(settings.mean, c, 0), deviation = entry(settings.std, c, 1);
    for (int v = 0; v < 256; ++v) {
      tables_[static_cast<std::size_t>(c)][static_cast<std::size_t>(v)] =
          (static_cast<float>(v) / scale - mean) / deviation;
    }
  }
}

void Normalizer::write(const Tensor& image, float* out) const noexcept {
  const std::int64_t pixels = image.dim(0) * image.dim(1);
  const auto channels = static_cast<std::int64_t>(tables_.size());
  const auto* in = reinterpret_cast<const std::uint8_t*>(image.raw());
  for (std::int64_t c = 0; c < channels; ++c) {
    const float* table = tables_[static_cast<std::size_t>(c)].data();
    float* to = channels_first_ ? out + c * pixels : out + c;
    const std::int64_t step = channels_first_ ? 1 : channels;
    for (std::int64_t i = 0; i < pixels; ++i) to[i * step] = table[in[i * channels + c]];
  }
}

Dims delivered_dims(const Tensor& image, const Preprocess& settings) {
  if (settings.layout == "NHWC") return image.dims();
  return {image.dim(2), image.dim(0), image.dim(1)};
}

}  // namespace pare::data
