// Convolutions and matrix products on the tile registers of AMX: what output pixels read times panels of 32 output
// channels. What kinds of numbers the bytes are and what becomes of the sums is up to the family. Files of this
// instruction set alone include it; the anonymous namespace keeps what is made of it in each.
//
// A block is up to two tiles of pixels by two of channels: four tiles of sums. Inputs and weights go by chunks of 64
// bytes (chunks.h). A tile's pixels lie in the input as they are multiplied, at one distance from each other: all of
// them for a 1x1 of stride 1, those of one line of outputs else, where lines of the image are copied with their
// padding first. Where lines are too short for a tile, rows of inputs are gathered. Tiles are about equally high; the
// last of a line ends with it and begins within the one before.
#pragma once

#include <cstddef>

#include "kernels/amx/chunks.h"
#include "kernels/amx/tiles.h"
#include "kernels/kernel.h"
#include "kernels/product_part.h"

namespace pare::kernels::amx {
namespace {

// Not those of the standard library, whose instances other files would share.
inline std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
inline std::int64_t most(std::int64_t a, std::int64_t b) { return a > b ? a : b; }

inline void copy_bytes(std::byte* to, const std::byte* from, std::int64_t count) {
  for (; count >= 64; count -= 64, to += 64, from += 64) _mm512_storeu_si512(to, _mm512_loadu_si512(from));
  if (count <= 0) return;
  const __mmask64 rest = ~std::uint64_t{0} >> (64 - count);
  _mm512_mask_storeu_epi8(to, rest, _mm512_maskz_loadu_epi8(rest, from));
}

inline void fill_bytes(std::byte* to, std::byte value, std::int64_t count) {
  const __m512i all = _mm512_set1_epi8(static_cast<char>(value));
  for (; count >= 64; count -= 64, to += 64) _mm512_storeu_si512(to, all);
  if (count > 0) _mm512_mask_storeu_epi8(to, ~std::uint64_t{0} >> (64 - count), all);
}

/// What the pixels of one group read.
struct Source {
  const ConvShape& shape;
  const std::byte* input;  ///< of the group's first channel
  std::int64_t element;    ///< bytes of a channel
  std::byte padding;       ///< each byte of what lies outside the image

  std::int64_t pixel_bytes() const { return shape.in_c * element; }
  std::int64_t tap_bytes() const { return shape.group_in() * element; }
  const std::byte* line(std::int64_t image, std::int64_t y) const {
    return input + (image * shape.in_h + y) * shape.in_w * pixel_bytes();
  }

  /// All pixels lie side by side as they are multiplied.
  bool flat() const {
    const ConvShape& s = shape;
    const std::int64_t row = tap_bytes();
    return s.groups == 1 && s.taps() == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_top == 0 && s.pad_left == 0 &&
           s.out_h == s.in_h && s.out_w == s.in_w && (row % 4 == 0 || row > kChunk);
  }
  /// Those of a line do, and fill tiles.
  bool by_lines() const {
    constexpr std::int64_t kShort = 12;  // pixels: 3/4 of a tile
    return shape.groups == 1 && shape.dilation_w == 1 && shape.out_w >= kShort;
  }

  /// Lines of the image from `y` on, with their padding.
  void copy_band(std::int64_t image, std::int64_t y, std::int64_t lines, const Band& band, std::byte* to) const {
    const std::int64_t left = band.left * pixel_bytes(), inside = shape.in_w * pixel_bytes();
    for (std::int64_t end = y + lines; y < end; ++y, to += band.line_bytes) {
      if (y < 0 || y >= shape.in_h) {
        fill_bytes(to, padding, band.line_bytes);
        continue;
      }
      fill_bytes(to, padding, left);
      copy_bytes(to + left, line(image, y), inside);
      fill_bytes(to + left + inside, padding, band.right * pixel_bytes());
    }
  }

  /// The taps of one line of the kernel, at y inside the image and x from `x0` on.
  void gather_taps(const std::byte* from, std::int64_t x0, std::byte* to) const {
    const ConvShape& s = shape;
    const std::int64_t bytes = tap_bytes();
    if (s.dilation_w == 1 && s.groups == 1) {  // side by side: the part inside the image is one copy
      const std::int64_t left = least(most(-x0, 0), s.kw), right = least(most(s.in_w - x0, left), s.kw);
      fill_bytes(to, padding, left * bytes);
      copy_bytes(to + left * bytes, from + (x0 + left) * bytes, (right - left) * bytes);
      fill_bytes(to + right * bytes, padding, (s.kw - right) * bytes);
      return;
    }
    for (std::int64_t kx = 0; kx < s.kw; ++kx, to += bytes) {
      const std::int64_t x = x0 + kx * s.dilation_w;
      if (x < 0 || x >= s.in_w)
        fill_bytes(to, padding, bytes);
      else
        copy_bytes(to, from + x * pixel_bytes(), bytes);
    }
  }

  /// Rows of the pixels from `pixel` to `end`, `stride` bytes apart.
  void gather(std::int64_t pixel, std::int64_t end, std::byte* to, std::int64_t stride) const {
    const ConvShape& s = shape;
    std::int64_t n = pixel / (s.out_h * s.out_w), oy = pixel / s.out_w % s.out_h, ox = pixel % s.out_w;
    const std::int64_t taps = s.kw * tap_bytes();
    for (; pixel < end; ++pixel, to += stride) {
      std::byte* at = to;
      for (std::int64_t ky = 0; ky < s.kh; ++ky, at += taps) {
        const std::int64_t y = oy * s.stride_h - s.pad_top + ky * s.dilation_h;
        if (y < 0 || y >= s.in_h)
          fill_bytes(at, padding, taps);
        else
          gather_taps(line(n, y), ox * s.stride_w - s.pad_left, at);
      }
      if (++ox < s.out_w) continue;
      ox = 0;
      if (++oy < s.out_h) continue;
      oy = 0, ++n;
    }
  }
};

/// Runs of pixels (lines, or one of all) cut into tiles.
struct TileGrid {
  std::int64_t run, each, height;  ///< pixels of a run, its tiles, and pixels of a tile

  explicit TileGrid(std::int64_t pixels)
      : run(pixels), each((pixels + kTileRows - 1) / kTileRows), height((pixels + each - 1) / each) {}
  std::int64_t begin(std::int64_t tile) const { return tile / each * run; }
  /// The first pixel that is the tile's own, the end of those, and the first that it multiplies.
  std::int64_t own(std::int64_t tile) const { return begin(tile) + least(tile % each * height, run); }
  std::int64_t end(std::int64_t tile) const { return begin(tile) + least((tile % each + 1) * height, run); }
  std::int64_t first(std::int64_t tile) const { return begin(tile) + least(tile % each * height, run - height); }
};

/// Two tiles of pixels at most by a panel.
struct Block {
  const std::byte* rows[2];
  std::int64_t stride;          ///< bytes from one row to the next
  std::int64_t segments, segment_stride, chunks, last;  ///< chunks.h; bytes from one segment of a row to the next
  const std::byte* weights;
  const std::byte* ahead;  ///< fetched: `lines` of 64 bytes with each chunk
  int lines;
};

inline constexpr std::int64_t kPanel = 32;                       ///< output channels
inline constexpr std::int64_t kWeightRow = kPanel * 4;           ///< bytes: four inputs of each channel
inline constexpr int kSums = kTileRows * 16;                     ///< of a tile

/// sums[tile][half of the panel][row][16]. Multiply: PARE_TILE_PRODUCTS.
template <class Multiply, int kTiles, int kHalves>
void multiply_block(const Block& b, std::int64_t weight_chunk, std::byte* sums) {
  fence();
  _tile_zero(0);
  if constexpr (kHalves == 2) _tile_zero(1);
  if constexpr (kTiles == 2) _tile_zero(2);
  if constexpr (kTiles == 2 && kHalves == 2) _tile_zero(3);
  const std::byte *weights = b.weights, *ahead = b.ahead;
  for (std::int64_t segment = 0; segment < b.segments; ++segment) {
    const std::byte *upper = b.rows[0] + segment * b.segment_stride, *lower = b.rows[1] + segment * b.segment_stride;
    for (std::int64_t chunk = 0; chunk < b.chunks; ++chunk, weights += weight_chunk) {
      const std::int64_t at = chunk + 1 < b.chunks ? chunk * kChunk : b.last;
      _tile_loadd(6, weights, kWeightRow);
      _tile_loadd(4, upper + at, b.stride);
      Multiply::upper_left();
      if constexpr (kHalves == 2) {
        _tile_loadd(7, weights + 64, kWeightRow);
        Multiply::upper_right();
      }
      if constexpr (kTiles == 2) {
        _tile_loadd(5, lower + at, b.stride);
        Multiply::lower_left();
        if constexpr (kHalves == 2) Multiply::lower_right();
      }
      for (int line = 0; line < b.lines; ++line, ahead += 64) _mm_prefetch(ahead, _MM_HINT_T0);
    }
  }
  _tile_stored(0, sums, 64);
  if constexpr (kHalves == 2) _tile_stored(1, sums + 4 * kSums, 64);
  if constexpr (kTiles == 2) _tile_stored(2, sums + 8 * kSums, 64);
  if constexpr (kTiles == 2 && kHalves == 2) _tile_stored(3, sums + 12 * kSums, 64);
}

template <class Multiply>
void multiply_any(const Block& b, std::int64_t weight_chunk, int tiles, int halves, std::byte* sums) {
  if (tiles == 2)
    halves == 2 ? multiply_block<Multiply, 2, 2>(b, weight_chunk, sums)
                : multiply_block<Multiply, 2, 1>(b, weight_chunk, sums);
  else
    halves == 2 ? multiply_block<Multiply, 1, 2>(b, weight_chunk, sums)
                : multiply_block<Multiply, 1, 1>(b, weight_chunk, sums);
}

/// Sums of a tile's own pixels: [half of the panel][16 rows][16], of which the first `rows` rows count.
struct Sums {
  std::int64_t pixel;
  int rows;
  const std::byte* at;
};

/// `prepared(pixel, rows, at, stride, segment_stride)`: rows of inputs are about to be multiplied.
/// `finish(channel, channels, sums, tiles)`: sums of up to 32 channels of the group from `channel` on.
template <class Multiply, class Prepared, class Finish>
class Walk {
 public:
  /// weights: [panels][chunks][bytes / 4][32][4]. Where tiles are those of lines, the part's pixels are whole lines: both
  /// ends are moved to the beginning of theirs.
  Walk(const Source& source, const std::byte* weights, const ProductPart& part, std::byte* scratch, const Prepared& prepared,
       const Finish& finish)
      : source_(source),
        weights_(weights),
        part_(part),
        scratch_(scratch),
        prepared_(prepared),
        finish_(finish),
        chunks_(source.shape, source.element),
        weight_chunk_(chunks_.bytes / 4 * kWeightRow),
        panel_bytes_(chunks_.steps() * kWeightRow) {}

  void run() {
    if (part_.panel_begin >= part_.panel_end) return;
    if (source_.flat()) return all_at_once(true);
    source_.by_lines() ? lines() : all_at_once(false);
  }

 private:
  /// Two tiles of pixels at most.
  struct Pair {
    const std::byte* rows[2];
    Sums sums[2];
    int tiles;
  };

  TileShapes shapes(std::int64_t height) const {
    TileShapes shapes = whole_tiles();
    for (const int tile : {0, 1, 2, 3, 4, 5}) shapes.rows[tile] = static_cast<std::uint8_t>(height);
    for (const int tile : {4, 5}) shapes.row_bytes[tile] = static_cast<std::uint16_t>(chunks_.bytes);
    for (const int tile : {6, 7}) shapes.rows[tile] = static_cast<std::uint8_t>(chunks_.bytes / 4);
    return shapes;
  }

  /// Tiles of any pixels that follow each other, whose rows lie in the input or are gathered.
  void all_at_once(bool flat) {
    if (part_.pixel_begin >= part_.pixel_end) return;
    const TileGrid grid(part_.pixel_end - part_.pixel_begin);
    const Tiles configured(shapes(grid.height));
    stride_ = flat ? source_.pixel_bytes() : gathered_stride(chunks_);
    segment_stride_ = chunks_.segment_bytes;
    const std::int64_t capacity = gathered_rows(chunks_) / kTileRows;
    for (std::int64_t tile = 0; tile < grid.each; tile += capacity) {
      const std::int64_t end = least(tile + capacity, grid.each);
      const std::int64_t first = part_.pixel_begin + grid.first(tile), last = part_.pixel_begin + grid.end(end - 1);
      const std::byte* rows = flat ? source_.input + first * stride_ : scratch_;
      if (!flat) source_.gather(first, last, scratch_, stride_);
      prepared_(first, last - first, rows, stride_, segment_stride_);
      const auto row = [&](std::int64_t t) { return rows + (grid.first(t) - grid.first(tile)) * stride_; };
      tiles(grid, tile, end, part_.pixel_begin, row);
    }
  }

  /// Tiles of lines of outputs.
  void lines() {
    const ConvShape& s = source_.shape;
    const TileGrid grid(s.out_w);
    const Band band(s, source_.element);
    const Tiles configured(shapes(grid.height));
    stride_ = s.stride_w * source_.pixel_bytes();
    segment_stride_ = s.dilation_h * band.line_bytes;
    const std::int64_t down = s.stride_h * band.line_bytes, end = part_.pixel_end / s.out_w;
    for (std::int64_t line = part_.pixel_begin / s.out_w; line < end;) {
      const std::int64_t image = line / s.out_h, y = line % s.out_h,
                         count = least(least(band.out_lines, s.out_h - y), end - line);
      const std::byte* rows = scratch_;
      if (band.padded)
        source_.copy_band(image, y * s.stride_h - s.pad_top, (count - 1) * s.stride_h + (s.kh - 1) * s.dilation_h + 1,
                          band, scratch_);
      else
        rows = source_.line(image, y * s.stride_h);
      for (std::int64_t l = 0; l < count; ++l)
        prepared_((line + l) * s.out_w, s.out_w, rows + l * down, stride_, segment_stride_);
      const auto row = [&](std::int64_t t) {
        return rows + t / grid.each * down + (grid.first(t) - grid.begin(t)) * stride_;
      };
      tiles(grid, 0, count * grid.each, line * s.out_w, row);
      line += count;
    }
  }

  /// By groups of panels that a part of the L2 cache holds: pixels pass by once for each, and outputs are written side
  /// by side. While one group is multiplied the next is fetched.
  template <class Row>
  void tiles(const TileGrid& grid, std::int64_t begin, std::int64_t end, std::int64_t pixel, const Row& row) {
    constexpr std::int64_t kGroup = 64 * 1024;  // bytes
    const std::int64_t panels = most(1, kGroup / panel_bytes_), pairs = (end - begin + 1) / 2;
    for (std::int64_t group = part_.panel_begin; group < part_.panel_end; group += panels) {
      const std::int64_t group_end = least(group + panels, part_.panel_end);
      const std::byte* ahead = weights_ + group_end * panel_bytes_;
      const std::int64_t ahead_bytes = (least(group_end + panels, part_.panel_end) - group_end) * panel_bytes_,
                         chunks = chunks_.segments * chunks_.count, steps = pairs * (group_end - group) * chunks;
      const std::int64_t lines = (ahead_bytes / 64 + steps - 1) / steps;
      for (std::int64_t tile = begin; tile < end; tile += 2) {
        const Pair pair = pair_of(grid, tile, end, pixel, row);
        for (std::int64_t panel = group; panel < group_end; ++panel, ahead += lines * chunks * 64)
          block(pair, panel, ahead, static_cast<int>(lines));
      }
    }
  }

  template <class Row>
  Pair pair_of(const TileGrid& grid, std::int64_t tile, std::int64_t end, std::int64_t pixel, const Row& row) {
    Pair pair{};
    pair.tiles = tile + 1 < end ? 2 : 1;
    for (int i = 0; i < pair.tiles; ++i) {
      const std::int64_t own = grid.own(tile + i), skipped = own - grid.first(tile + i);
      pair.rows[i] = row(tile + i);
      pair.sums[i] = {pixel + own, static_cast<int>(grid.end(tile + i) - own), sums_ + 8 * i * kSums + skipped * 64};
    }
    return pair;
  }

  void block(const Pair& pair, std::int64_t panel, const std::byte* ahead, int lines) {
    const std::int64_t channel = panel * kPanel, channels = least(kPanel, source_.shape.group_out() - channel);
    const Block b{{pair.rows[0], pair.rows[1]}, stride_,       chunks_.segments,
                  segment_stride_,              chunks_.count, chunks_.last,
                  weights_ + panel * panel_bytes_, ahead,      lines};
    multiply_any<Multiply>(b, weight_chunk_, pair.tiles, channels > 16 ? 2 : 1, sums_);
    finish_(channel, static_cast<int>(channels), pair.sums, pair.tiles);
  }

  const Source& source_;
  const std::byte* weights_;
  ProductPart part_;
  std::byte* scratch_;
  const Prepared& prepared_;
  const Finish& finish_;
  Chunks chunks_;
  std::int64_t weight_chunk_, panel_bytes_, stride_ = 0, segment_stride_ = 0;
  alignas(64) std::byte sums_[4 * 4 * kSums];
};

template <class Multiply, class Prepared, class Finish>
void walk(const Source& source, const std::byte* weights, const ProductPart& part, std::byte* scratch,
          const Prepared& prepared, const Finish& finish) {
  Walk<Multiply, Prepared, Finish>(source, weights, part, scratch, prepared, finish).run();
}

}  // namespace
}  // namespace pare::kernels::amx
