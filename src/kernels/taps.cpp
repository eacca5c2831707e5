#include "kernels/taps.h"

#include <algorithm>

namespace pare::kernels {
namespace {

constexpr int kMost = 16;   ///< pixels at a time
constexpr int kMarked = 8;  ///< taps of an axis that are looked at once

/// An output pixel.
struct Pixel {
  std::int64_t n, y, x;

  Pixel(const ConvShape& s, std::int64_t index) noexcept
      : n(index / (s.out_h * s.out_w)), y(index / s.out_w % s.out_h), x(index % s.out_w) {}
  void next_line(const ConvShape& s) noexcept {
    x = 0;
    if (++y < s.out_h) return;
    y = 0, ++n;
  }
};

/// What some pixels read at the corner of their windows, as numbers: what is outside the image is no pointer into it.
struct Corners {
  alignas(64) std::uintptr_t at[kMost];
  alignas(64) std::int32_t y[kMost], x[kMost];

  Corners(const ConvShape& s, const void* input, std::int64_t pixel_bytes, int count, Pixel& walk) noexcept {
    for (int p = 0; p < count;) {
      const int end = static_cast<int>(std::min<std::int64_t>(count, p + s.out_w - walk.x));
      const std::int64_t row = walk.y * s.stride_h - s.pad_top;
      std::int64_t column = walk.x * s.stride_w - s.pad_left;
      auto corner = reinterpret_cast<std::uintptr_t>(input) +
                    static_cast<std::uintptr_t>(((walk.n * s.in_h + row) * s.in_w + column) * pixel_bytes);
      walk.x += end - p;
      for (; p < end; ++p, column += s.stride_w, corner += static_cast<std::uintptr_t>(s.stride_w * pixel_bytes))
        at[p] = corner, y[p] = static_cast<std::int32_t>(row), x[p] = static_cast<std::int32_t>(column);
      if (walk.x == s.out_w) walk.next_line(s);
    }
    for (int p = count; p < kMost; ++p) at[p] = 0, y[p] = x[p] = 0;
  }
};

/// All ones for those pixels whose coordinate is in [0, size) at the tap that is `by` further.
struct Marks {
  alignas(64) std::uint64_t inside[kMost];

  void set(const std::int32_t* from, std::int64_t by, std::int64_t size) noexcept {
    const auto add = static_cast<std::int32_t>(by), end = static_cast<std::int32_t>(size);
    for (int p = 0; p < kMost; ++p) {
      const std::int32_t at = from[p] + add;
      inside[p] = static_cast<std::uint64_t>(static_cast<std::int64_t>((~at & (at - end)) >> 31));
    }
  }
};

void choose(const Corners& corners, std::uintptr_t by, const Marks& rows, const Marks& columns, std::uintptr_t outside,
            std::uintptr_t* __restrict to) noexcept {
  for (int p = 0; p < kMost; ++p)
    to[p] = outside ^ ((outside ^ (corners.at[p] + by)) & rows.inside[p] & columns.inside[p]);
}

}  // namespace

bool reads_as_it_lies(const ConvShape& s) noexcept {
  return s.taps() == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_top == 0 && s.pad_left == 0 &&
         s.out_h == s.in_h && s.out_w == s.in_w;
}

void find_taps(const ConvShape& s, const void* input, std::int64_t pixel_bytes, const void* padding, std::int64_t pixel,
               int count, int stride, const std::byte** at) noexcept {
  if (reads_as_it_lies(s)) {
    const std::byte* from = static_cast<const std::byte*>(input) + pixel * pixel_bytes;
    for (int p = 0; p < count; ++p) at[p] = from + p * pixel_bytes;
    return;
  }
  const auto outside = reinterpret_cast<std::uintptr_t>(padding);
  Pixel walk(s, pixel);
  for (int done = 0; done < count; done += kMost) {
    const int pixels = std::min(kMost, count - done);
    const Corners corners(s, input, pixel_bytes, pixels, walk);
    auto* to = reinterpret_cast<std::uintptr_t*>(at + done);
    Marks rows, columns[kMarked];
    for (std::int64_t ky = 0; ky < s.kh; ++ky) {
      rows.set(corners.y, ky * s.dilation_h, s.in_h);
      for (std::int64_t kx = 0; kx < s.kw; ++kx, to += stride) {
        Marks& column = columns[kx % kMarked];
        if (ky == 0 || s.kw > kMarked) column.set(corners.x, kx * s.dilation_w, s.in_w);
        const auto by = static_cast<std::uintptr_t>((ky * s.dilation_h * s.in_w + kx * s.dilation_w) * pixel_bytes);
        if (stride % kMost == 0) {  // with room for all there is no loop of unknown length
          choose(corners, by, rows, column, outside, to);
        } else {
          std::uintptr_t some[kMost];
          choose(corners, by, rows, column, outside, some);
          std::copy(some, some + pixels, to);
        }
      }
    }
  }
}

}  // namespace pare::kernels
