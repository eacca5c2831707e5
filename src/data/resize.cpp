#include "data/resize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "pare/error.h"

namespace pare::data {

namespace {

constexpr int kFractionBits = 22;  // 32 less 8 of the pixel and 2 for overshoot of bicubic weights

struct Filter {
  double support;
  double (*weight)(double);
};

double triangle(double x) {
  x = std::abs(x);
  return x < 1 ? 1 - x : 0;
}

double cubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0;
}

struct Taps {
  int first = 0;
  std::vector<std::int32_t> weights;
};

// For each output position the input positions that count and their weights, which sum to 2^kFractionBits.
std::vector<Taps> taps_for(int in, int out, const Filter& filter) {
  const double scale = static_cast<double>(in) / out, stretch = std::max(scale, 1.0),
               support = filter.support * stretch;
  const double shrink = 1 / stretch;  // multiplied, not divided by: the last bit of a weight decides some ties
  std::vector<Taps> taps(static_cast<std::size_t>(out));
  for (int o = 0; o < out; ++o) {
    const double center = (o + 0.5) * scale;
    const int first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int last = std::min(static_cast<int>(center + support + 0.5), in);
    std::vector<double> weights;
    double sum = 0;
    for (int i = first; i < last; ++i) {
      weights.push_back(filter.weight((i - center + 0.5) * shrink));
      sum += weights.back();
    }
    Taps& tap = taps[static_cast<std::size_t>(o)];
    tap.first = first;
    for (const double weight : weights) {
      tap.weights.push_back(static_cast<std::int32_t>(std::lround(weight / sum * (1 << kFractionBits))));
    }
  }
  return taps;
}

std::uint8_t to_byte(std::int32_t sum) noexcept {
  return static_cast<std::uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

constexpr std::int32_t kHalf = 1 << (kFractionBits - 1);

Tensor resize_rows(const Tensor& image, int width, const Filter& filter) {
  const std::int64_t height = image.dim(0), in_width = image.dim(1), channels = image.dim(2);
  const std::vector<Taps> taps = taps_for(static_cast<int>(in_width), width, filter);
  Tensor result(DType::kUint8, {height, width, channels});
  const std::uint8_t* in = image.data<std::uint8_t>().data();
  std::uint8_t* out = result.mutable_data<std::uint8_t>().data();
  for (std::int64_t y = 0; y < height; ++y, in += in_width * channels) {
    for (const Taps& tap : taps) {
      for (std::int64_t c = 0; c < channels; ++c) {
        std::int32_t sum = kHalf;
        const std::uint8_t* pixel = in + tap.first * channels + c;
        for (const std::int32_t weight : tap.weights) {
          sum += weight * *pixel;
          pixel += channels;
        }
        *out++ = to_byte(sum);
      }
    }
  }
  return result;
}

Tensor resize_columns(const Tensor& image, int height, const Filter& filter) {
  const std::int64_t row = image.dim(1) * image.dim(2);
  const std::vector<Taps> taps = taps_for(static_cast<int>(image.dim(0)), height, filter);
  Tensor result(DType::kUint8, {height, image.dim(1), image.dim(2)});
  const std::uint8_t* in = image.data<std::uint8_t>().data();
  std::uint8_t* out = result.mutable_data<std::uint8_t>().data();
  std::vector<std::int32_t> sums(static_cast<std::size_t>(row));
  for (const Taps& tap : taps) {
    std::fill(sums.begin(), sums.end(), kHalf);
    const std::uint8_t* pixels = in + tap.first * row;
    for (const std::int32_t weight : tap.weights) {
      for (std::int64_t i = 0; i < row; ++i) sums[static_cast<std::size_t>(i)] += weight * pixels[i];
      pixels += row;
    }
    for (std::int64_t i = 0; i < row; ++i) *out++ = to_byte(sums[static_cast<std::size_t>(i)]);
  }
  return result;
}

}  // namespace

const std::vector<std::string>& resize_filters() {
  static const std::vector<std::string> names{"bilinear", "bicubic"};
  return names;
}

Tensor resize(const Tensor& image, int height, int width, const std::string& filter) {
  if (height <= 0 || width <= 0) throw Error(ErrorCode::kInternal, "resize", "needs a positive size");
  const Filter chosen = filter == "bicubic" ? Filter{2, cubic} : Filter{1, triangle};
  Tensor result = image.dim(1) == width ? image : resize_rows(image, width, chosen);
  return result.dim(0) == height ? result : resize_columns(result, height, chosen);
}

}  // namespace pare::data
