#include "compress/layerwise/unfold.h"

#include <algorithm>

#include "base/threads.h"

namespace pare::compress {
namespace {

/// [N, C, P] → [N, P, C], in tiles whose both sides stay in the cache.
std::vector<float> channels_last(const Tensor& x) {
  constexpr std::int64_t kTile = 32;
  const std::int64_t channels = x.dim(1), pixels = x.dim(2) * x.dim(3), strips = (pixels + kTile - 1) / kTile;
  std::vector<float> out(static_cast<std::size_t>(x.numel()));
  const float* from = x.data<float>().data();
  parallel_for(x.dim(0) * strips, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t strip = begin; strip < end; ++strip) {
      const std::int64_t sample = strip / strips * channels * pixels, first = strip % strips * kTile;
      const std::int64_t last = std::min(first + kTile, pixels);
      for (std::int64_t c0 = 0; c0 < channels; c0 += kTile)
        for (std::int64_t p = first; p < last; ++p)
          for (std::int64_t c = c0; c < std::min(c0 + kTile, channels); ++c)
            out[static_cast<std::size_t>(sample + p * channels + c)] = from[sample + c * pixels + p];
    }
  });
  return out;
}

}  // namespace

Unfolder::Unfolder(const Tensor& x, const ir::Node& conv, const Dims& weight)
    : samples_(x.dim(0)),
      channels_(x.dim(1)),
      height_(x.dim(2)),
      width_(x.dim(3)),
      inputs_(weight[1]),
      stride_(conv.ints_or("strides", {1, 1})),
      dilation_(conv.ints_or("dilations", {1, 1})),
      pads_(conv.ints_or("pads", {0, 0, 0, 0})),
      kernel_{weight[2], weight[3]},
      rows_((height_ + pads_[0] + pads_[2] - dilation_[0] * (kernel_[0] - 1) - 1) / stride_[0] + 1),
      columns_((width_ + pads_[1] + pads_[3] - dilation_[1] * (kernel_[1] - 1) - 1) / stride_[1] + 1),
      last_(channels_last(x)) {}

void Unfolder::row(std::int64_t group, std::int64_t position, float* out) const {
  const std::int64_t sample = position / (rows_ * columns_), p = position % (rows_ * columns_);
  for (std::int64_t t = 0; t < kernel_[0] * kernel_[1]; ++t, out += inputs_) {
    const std::int64_t y = p / columns_ * stride_[0] - pads_[0] + t / kernel_[1] * dilation_[0];
    const std::int64_t z = p % columns_ * stride_[1] - pads_[1] + t % kernel_[1] * dilation_[1];
    if (y < 0 || y >= height_ || z < 0 || z >= width_) {
      std::fill_n(out, inputs_, 0.0F);
    } else {
      const std::int64_t at = ((sample * height_ + y) * width_ + z) * channels_ + group * inputs_;
      std::copy_n(&last_[static_cast<std::size_t>(at)], inputs_, out);
    }
  }
}

void Unfolder::rows(std::int64_t group, std::int64_t first, std::int64_t count, std::span<float> out) const {
  parallel_for(count, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) row(group, first + i, &out[static_cast<std::size_t>(i * columns())]);
  });
}

std::vector<float> unfold(const Tensor& x, const ir::Node& conv, const Dims& weight, std::int64_t group,
                          std::int64_t& positions) {
  const Unfolder from(x, conv, weight);
  positions = from.positions();
  std::vector<float> out(static_cast<std::size_t>(positions * from.columns()));
  from.rows(group, 0, positions, out);
  return out;
}

}  // namespace pare::compress
