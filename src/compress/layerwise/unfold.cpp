#include "compress/layerwise/unfold.h"

#include <algorithm>

#include "base/threads.h"

namespace pare::compress {
namespace {

/// [N, C, P] → [N, P, C], in tiles whose both sides stay in the cache.
std::vector<float> channels_last(const Tensor& x) {
  constexpr std::int64_t kTile = 32;
  const std::int64_t channels = x.dim(1), pixels = element_count(Dims(x.dims().begin() + 2, x.dims().end()));
  const std::int64_t strips = (pixels + kTile - 1) / kTile;
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
    : samples_(x.dim(0)), channels_(x.dim(1)), inputs_(weight[1]), last_(channels_last(x)) {
  const ir::EvaluateContext context{conv, 0, {}};
  const ir::ops::Window window = ir::ops::read_window(context, Dims(weight.begin() + 2, weight.end()));
  const auto axes = ir::ops::resolve(context, window, Dims(x.dims().begin() + 2, x.dims().end()));
  width_ = axes.back();
  if (axes.size() > 1) height_ = axes[axes.size() - 2];
  if (axes.size() > 2) depth_ = axes[axes.size() - 3];
}

void Unfolder::row(std::int64_t group, std::int64_t position, float* out) const {
  const auto inside = [](const ir::ops::WindowAxis& axis, std::int64_t at) { return at >= 0 && at < axis.in; };
  const std::int64_t x = position % width_.out, y = position / width_.out % height_.out;
  const std::int64_t z = position / (width_.out * height_.out) % depth_.out;
  const std::int64_t sample = position / (width_.out * height_.out * depth_.out);
  for (std::int64_t i = 0; i < depth_.kernel; ++i)
    for (std::int64_t j = 0; j < height_.kernel; ++j) {
      const std::int64_t d = depth_.source(z, i), h = height_.source(y, j);
      const bool there = inside(depth_, d) && inside(height_, h);
      const std::int64_t line = ((sample * depth_.in + d) * height_.in + h) * width_.in;
      for (std::int64_t k = 0; k < width_.kernel; ++k, out += inputs_) {
        const std::int64_t w = width_.source(x, k);
        if (there && inside(width_, w))
          std::copy_n(&last_[static_cast<std::size_t>((line + w) * channels_ + group * inputs_)], inputs_, out);
        else
          std::fill_n(out, inputs_, 0.0F);
      }
    }
}

void Unfolder::rows(std::int64_t group, std::int64_t first, std::int64_t count, std::span<float> out) const {
  parallel_for(count, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) row(group, first + i, &out[static_cast<std::size_t>(i * columns())]);
  });
}

void Unfolder::rows(std::int64_t group, std::span<const std::int64_t> positions, std::span<float> out) const {
  parallel_for(static_cast<std::int64_t>(positions.size()), 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      row(group, positions[static_cast<std::size_t>(i)], &out[static_cast<std::size_t>(i * columns())]);
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
