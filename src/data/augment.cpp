#include "data/augment.h"

#include <algorithm>
#include <cstring>

#include "base/rng.h"

namespace pare::data {

namespace {

void mirror_row(std::uint8_t* row, std::int64_t width, std::int64_t channels) {
  for (std::int64_t a = 0, b = width - 1; a < b; ++a, --b) {
    std::swap_ranges(row + a * channels, row + (a + 1) * channels, row + b * channels);
  }
}

}  // namespace

Tensor shift_and_flip(const Tensor& image, int pad, int top, int left, bool flip) {
  const std::int64_t height = image.dim(0), width = image.dim(1), channels = image.dim(2);
  const std::int64_t down = top - pad, right = left - pad;  // of the source against the result
  const std::int64_t first = std::max<std::int64_t>(0, -right), last = std::min(width, width - right);
  Tensor result(DType::kUint8, image.dims());
  const std::uint8_t* in = image.data<std::uint8_t>().data();
  std::uint8_t* out = result.mutable_data<std::uint8_t>().data();
  for (std::int64_t y = 0; y < height; ++y, out += width * channels) {
    const std::int64_t from = y + down;
    if (from < 0 || from >= height || first >= last) continue;
    std::memcpy(out + first * channels, in + (from * width + first + right) * channels,
                static_cast<std::size_t>((last - first) * channels));
    if (flip) mirror_row(out, width, channels);
  }
  return result;
}

Tensor augment(const Tensor& image, const Augment& settings, std::uint64_t seed, std::int64_t epoch,
               std::int64_t sample) {
  Rng rng(seed, kRngAugment, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(sample));
  int top = 0, left = 0;
  if (settings.pad_crop > 0) {
    const auto places = static_cast<std::uint64_t>(2 * settings.pad_crop + 1);
    top = static_cast<int>(rng.below(places));
    left = static_cast<int>(rng.below(places));
  }
  const bool flip = settings.hflip && rng.coin();
  if (settings.pad_crop == 0 && !flip) return image;
  return shift_and_flip(image, settings.pad_crop, top, left, flip);
}

}  // namespace pare::data
