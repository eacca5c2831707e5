#include "kernels/taps.h"

namespace pare::kernels {
namespace {

/// Walks over output pixels in order.
struct Pixel {
  std::int64_t n, y, x;

  Pixel(const ConvShape& s, std::int64_t index) noexcept
      : n(index / (s.out_h * s.out_w)), y(index / s.out_w % s.out_h), x(index % s.out_w) {}
  void step(const ConvShape& s) noexcept {
    if (++x < s.out_w) return;
    x = 0;
    if (++y < s.out_h) return;
    y = 0, ++n;
  }
};

}  // namespace

void find_taps(const ConvShape& s, const void* input, std::int64_t pixel_bytes, const void* padding,
               std::int64_t pixel, int count, int stride, const std::byte** at) noexcept {
  const auto* outside = static_cast<const std::byte*>(padding);
  Pixel walk(s, pixel);
  for (int p = 0; p < count; ++p, walk.step(s)) {
    const std::int64_t y0 = walk.y * s.stride_h - s.pad_top, x0 = walk.x * s.stride_w - s.pad_left;
    // As a number: what is outside the image is no pointer into it.
    const std::uintptr_t corner =
        reinterpret_cast<std::uintptr_t>(input) +
        static_cast<std::uintptr_t>(((walk.n * s.in_h + y0) * s.in_w + x0) * pixel_bytes);
    const std::byte** to = at + p;
    for (std::int64_t ky = 0; ky < s.kh; ++ky) {
      const std::int64_t down = ky * s.dilation_h;
      const bool row_inside = y0 + down >= 0 && y0 + down < s.in_h;
      for (std::int64_t kx = 0; kx < s.kw; ++kx, to += stride) {
        const std::int64_t right = kx * s.dilation_w;
        const bool inside = row_inside && x0 + right >= 0 && x0 + right < s.in_w;
        const auto offset = static_cast<std::uintptr_t>((down * s.in_w + right) * pixel_bytes);
        *to = inside ? reinterpret_cast<const std::byte*>(corner + offset) : outside;
      }
    }
  }
}

}  // namespace pare::kernels
