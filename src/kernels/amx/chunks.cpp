#include "kernels/amx/chunks.h"

#include <algorithm>

#include "base/cpu.h"

namespace pare::kernels::amx {
namespace {

constexpr std::int64_t kShare = 2;                 ///< of L2: a half holds the inputs that are multiplied
constexpr std::int64_t kLeastCache = 1024 * 1024;  ///< bytes, where the CPU does not say how large L2 is
constexpr std::int64_t kPair = 32;                 ///< rows of two tiles

std::int64_t room() noexcept { return std::max(cpu_info().l2, kLeastCache) / kShare; }

}  // namespace

Chunks::Chunks(const ConvShape& s, std::int64_t element) noexcept
    : segments(s.groups == 1 && s.dilation_w == 1 ? s.kh : 1),
      segment_bytes(s.taps() * s.group_in() * element / segments),
      count((segment_bytes + kChunk - 1) / kChunk),
      bytes(segment_bytes < kChunk ? (segment_bytes + 3) / 4 * 4 : kChunk),
      last(segment_bytes < kChunk ? 0 : segment_bytes - kChunk) {}

std::int64_t Chunks::steps() const noexcept { return segments * count * bytes / 4; }

std::int64_t Chunks::place(std::int64_t k) const noexcept {
  const std::int64_t segment = k / segment_bytes, at = k % segment_bytes, whole = (count - 1) * bytes;
  return segment * count * bytes + (at < whole ? at : whole + at - last);
}

std::int64_t gathered_stride(const Chunks& c) noexcept {
  const std::int64_t lines = (c.segments * c.segment_bytes + 3 + kChunk - 1) / kChunk;
  return (lines + (lines % 2 == 0 ? 1 : 0)) * kChunk;  // an odd number of lines: rows spread over the sets of a cache
}

std::int64_t gathered_rows(const Chunks& c) noexcept {
  return std::max<std::int64_t>(1, room() / (gathered_stride(c) * kPair)) * kPair;
}

Band::Band(const ConvShape& s, std::int64_t element) noexcept {
  const std::int64_t reach_w = (s.out_w - 1) * s.stride_w + (s.kw - 1) * s.dilation_w + 1,
                     reach_h = (s.out_h - 1) * s.stride_h + (s.kh - 1) * s.dilation_h + 1;
  left = s.pad_left, right = std::max<std::int64_t>(0, reach_w - s.pad_left - s.in_w);
  padded = left > 0 || right > 0 || s.pad_top > 0 || reach_h > s.in_h || (s.kw * s.in_c * element) % 4 != 0;
  line_bytes = (s.in_w + (padded ? left + right : 0)) * s.in_c * element;
  const std::int64_t window = (s.kh - 1) * s.dilation_h + 1;
  const std::int64_t fit = std::max<std::int64_t>(1, (room() / line_bytes - window) / s.stride_h + 1);
  out_lines = padded ? std::min(fit, s.out_h) : s.out_h;
  lines = (out_lines - 1) * s.stride_h + window;
}

std::size_t scratch_bytes(const ConvShape& s, std::int64_t element) noexcept {
  const Chunks chunks(s, element);
  const Band band(s, element);
  const std::int64_t rows = std::min(gathered_rows(chunks), (s.pixels() + kPair - 1) / kPair * kPair);
  const std::int64_t copied = band.padded ? band.lines * band.line_bytes : 0;
  return static_cast<std::size_t>(std::max(rows * gathered_stride(chunks), copied) + kChunk);
}

}  // namespace pare::kernels::amx
