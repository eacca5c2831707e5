// Four pixels of one phase (equal column modulo the stride) share their taps; 4 × 16 sums stay in registers.
#include "kernels/deconv/deconv.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/threads.h"
#include "kernels/window.h"

namespace pare::kernels {
namespace {

using Vector = float __attribute__((vector_size(32)));
constexpr std::int64_t kLanes = 8, kBlock = 16;  // outputs of a vector and of a tile
constexpr int kPixels = 4;

std::int64_t blocks_of(const DeconvShape& s) noexcept { return (s.group_out() + kBlock - 1) / kBlock; }
/// Packed weights: [group][block][kh][kw][input][kBlock], then a row of zeros that stands for pixels outside.
std::int64_t block_size(const DeconvShape& s) noexcept { return s.kh * s.kw * s.group_in() * kBlock; }

Vector load(const float* from) noexcept {
  Vector out;
  std::memcpy(&out, from, sizeof(out));
  return out;
}

/// Input coordinate that tap k adds to output o; −1: none.
std::int64_t source(std::int64_t o, std::int64_t k, std::int64_t stride, std::int64_t pad, std::int64_t dilation,
                    std::int64_t size) noexcept {
  const std::int64_t at = o + pad - k * dilation;
  return at >= 0 && at % stride == 0 && at / stride < size ? at / stride : -1;
}

struct Tile {
  Vector sums[kPixels][2];
};

void add_tap(const float* const (&in)[kPixels], const float* weights, std::int64_t inputs, Tile& tile) noexcept {
  Vector sums[kPixels][2];
  std::memcpy(sums, tile.sums, sizeof(sums));
  for (std::int64_t c = 0; c < inputs; ++c) {
    const Vector low = load(weights + c * kBlock), high = load(weights + c * kBlock + kLanes);
    for (int p = 0; p < kPixels; ++p) {
      const float x = in[p][c];
      sums[p][0] += x * low;
      sums[p][1] += x * high;
    }
  }
  std::memcpy(tile.sums, sums, sizeof(sums));
}

/// Up to kPixels output pixels of a row, `stride_w` apart from `column` on, and one block of outputs.
void pixels(const DeconvShape& s, const float* weights, const float* zeros, const float* bias, std::int64_t first_in,
            const float* image, std::int64_t row, std::int64_t column, std::int64_t outputs, float* out) noexcept {
  Tile tile;
  alignas(32) float start[kBlock] = {};
  if (bias) std::copy_n(bias, outputs, start);
  for (auto& sums : tile.sums) sums[0] = load(start), sums[1] = load(start + kLanes);
  for (std::int64_t ky = 0; ky < s.kh; ++ky) {
    const std::int64_t y = source(row, ky, s.stride_h, s.pad_top, s.dilation_h, s.in_h);
    if (y < 0) continue;
    for (std::int64_t kx = 0; kx < s.kw; ++kx) {
      const float* from[kPixels];
      bool any = false;
      for (int p = 0; p < kPixels; ++p) {
        const std::int64_t x = source(column + p * s.stride_w, kx, s.stride_w, s.pad_left, s.dilation_w, s.in_w);
        from[p] = x < 0 ? zeros : image + (y * s.in_w + x) * s.in_c + first_in;
        any = any || x >= 0;
      }
      if (any) add_tap(from, weights + (ky * s.kw + kx) * s.group_in() * kBlock, s.group_in(), tile);
    }
  }
  for (int p = 0; p < kPixels && column + p * s.stride_w < s.out_w; ++p) {
    float lanes[kBlock];
    std::memcpy(lanes, tile.sums[p], sizeof(lanes));
    std::copy_n(lanes, outputs, out + (row * s.out_w + column + p * s.stride_w) * s.out_c);
  }
}

}  // namespace

std::int64_t deconv_packed_size(const DeconvShape& shape) noexcept {
  return shape.groups * blocks_of(shape) * block_size(shape) + shape.group_in();
}

void deconv_pack(const DeconvShape& s, const float* weights, float* packed) noexcept {
  std::fill_n(packed, deconv_packed_size(s), 0.0f);
  const std::int64_t taps = s.kh * s.kw;
  for (std::int64_t i = 0; i < s.in_c; ++i) {
    const std::int64_t group = i / s.group_in(), c = i % s.group_in();
    for (std::int64_t m = 0; m < s.group_out(); ++m) {
      float* block = packed + (group * blocks_of(s) + m / kBlock) * block_size(s);
      for (std::int64_t t = 0; t < taps; ++t)
        block[(t * s.group_in() + c) * kBlock + m % kBlock] = weights[(i * s.group_out() + m) * taps + t];
    }
  }
}

void deconv(const DeconvShape& s, const float* packed, const float* bias, const float* in, float* out) noexcept {
  const std::int64_t blocks = blocks_of(s);
  const float* zeros = packed + s.groups * blocks * block_size(s);
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t unit = begin; unit < end; ++unit) {
      const std::int64_t image = unit / s.out_h, row = unit % s.out_h;
      const float* from = in + image * s.in_h * s.in_w * s.in_c;
      float* to = out + image * s.out_h * s.out_w * s.out_c;
      for (std::int64_t b = 0; b < s.groups * blocks; ++b) {
        const std::int64_t group = b / blocks, m = b % blocks * kBlock, first = group * s.group_out() + m;
        const std::int64_t outputs = std::min(kBlock, s.group_out() - m);
        for (std::int64_t phase = 0; phase < std::min(s.stride_w, s.out_w); ++phase) {
          for (std::int64_t column = phase; column < s.out_w; column += kPixels * s.stride_w)
            pixels(s, packed + b * block_size(s), zeros, bias ? bias + first : nullptr, group * s.group_in(), from, row,
                   column, outputs, to + first);
        }
      }
    }
  };
  const std::int64_t row_macs = s.out_w * s.out_c * s.group_in() * s.kh * s.kw / (s.stride_h * s.stride_w);
  parallel_for(s.batch * s.out_h, std::max<std::int64_t>(1, 8 * kGrainOperations / std::max<std::int64_t>(1, row_macs)),
               std::ref(body));
}

}  // namespace pare::kernels
