#include "kernels/spconv/lines.h"

#include <algorithm>
#include <cstring>

#include "kernels/spconv/windows.h"
#include "kernels/taps.h"

namespace pare::kernels {
namespace {

/// Leftmost input column of an output column.
std::int64_t column_of(const ConvShape& s, std::int64_t x) noexcept { return x * s.stride_w - s.pad_left; }

bool sticks_out(const ConvShape& s, std::int64_t column) noexcept { return column < 0 || column + s.kw > s.in_w; }

/// The line at an input row, from a column on that may be outside.
void copy_line(const ConvShape& s, const std::byte* row, const std::byte* padding, std::int64_t column,
               std::byte* to) noexcept {
  const std::int64_t before = std::clamp<std::int64_t>(-column, 0, s.kw),
                     end = std::clamp<std::int64_t>(s.in_w - column, before, s.kw);
  const auto bytes = [&](std::int64_t pixels) { return static_cast<std::size_t>(pixels * s.in_c); };
  std::memcpy(to, padding, bytes(before));
  if (end > before) std::memcpy(to + bytes(before), row + (column + before) * s.in_c, bytes(end - before));
  std::memcpy(to + bytes(end), padding, bytes(s.kw - end));
}

}  // namespace

std::int64_t copied_line_bytes(const ConvShape& s, std::int64_t count) noexcept {
  if (spconv_line_taps(s) == 1) return 0;
  std::int64_t columns = 0;
  for (std::int64_t x = 0; x < s.out_w; ++x) columns += sticks_out(s, column_of(s, x));
  const std::int64_t rows = (count + s.out_w - 1) / s.out_w + 1;
  return std::min(count, rows * columns) * s.kh * s.kw * s.in_c;
}

void find_lines(const ConvShape& s, const std::byte* input, const std::byte* padding, std::int64_t pixel, int count,
                int stride, const std::byte** at, std::byte*& copies) noexcept {
  if (spconv_line_taps(s) == 1) return find_taps(s, input, s.in_c, padding, pixel, count, stride, at);
  ConvShape first = s;  // the first tap of each line
  first.kw = 1;
  find_taps(first, input, s.in_c, padding, pixel, count, stride, at);
  std::int64_t x = pixel % s.out_w - 1;  // walked, since a division a pixel would cost short layers a twentieth
  for (int p = 0; p < count; ++p) {
    x = x + 1 == s.out_w ? 0 : x + 1;
    const std::int64_t column = column_of(s, x);
    if (!sticks_out(s, column)) continue;
    const std::int64_t y = (pixel + p) / s.out_w % s.out_h, n = (pixel + p) / (s.out_w * s.out_h);
    for (std::int64_t line = 0; line < s.kh; ++line) {
      const std::int64_t row = y * s.stride_h - s.pad_top + line * s.dilation_h;
      if (row < 0 || row >= s.in_h) continue;  // all padding
      copy_line(s, input + (n * s.in_h + row) * s.in_w * s.in_c, padding, column, copies);
      at[line * stride + p] = copies;
      copies += s.kw * s.in_c;
    }
  }
}

}  // namespace pare::kernels
