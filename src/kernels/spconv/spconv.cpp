// The table of sparse integer convolutions, and the walk over tiles.
#include "kernels/spconv/spconv.h"

#include <algorithm>
#include <functional>

#include "base/threads.h"
#include "kernels/spconv/lines.h"
#include "kernels/spconv/row.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                      \
  namespace ns {                                        \
  void spconv_tiles(const SpConvTiles& t) noexcept;     \
  void spconv_arrange(const SpConvArrange& a) noexcept; \
  }
#include "kernels/spconv/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr SpConvKernel kTable[] = {
#define PARE_KERNEL(file, ns, isa) {"spconv__" #ns, Isa::isa, ns::spconv_tiles, ns::spconv_arrange},
#include "kernels/spconv/kernels.inc"
#undef PARE_KERNEL
};

constexpr auto kRows = rows_of(kTable);

constexpr std::int64_t kLine = 64;            ///< of the cache
constexpr std::int64_t kFetched = 64 * 1024;  ///< bytes of weights that are fetched while others are used
constexpr std::int64_t kAtOnce = kSpConvTiles * kSpConvPixels;  ///< pixels

/// Pixels a tile: the fewest tiles, as even as they come.
std::int64_t tile_pixels(std::int64_t pixels) noexcept {
  const std::int64_t tiles = (pixels + kSpConvPixels - 1) / kSpConvPixels;
  return (pixels + tiles - 1) / tiles;
}

/// Blocks that stay together: all of a span where rows are grouped.
std::int64_t unit_blocks(const SpConvPacked& w) noexcept { return w.order.empty() ? 1 : kSpConvSpan / kSpConvChannels; }

/// What a thread works with.
struct Scratch {
  const std::byte** at;    ///< [kSpConvTiles][lines][kSpConvPointers]
  std::byte* copies;       ///< of lines that stick out of the image
  std::byte *added, *out;  ///< [kAtOnce][kSpConvSpan] of 4 bytes each, where rows are grouped: before and behind them

  static std::size_t pointers(const SpConvPacked& w) noexcept {
    return static_cast<std::size_t>(kSpConvTiles * w.lines * kSpConvPointers) * sizeof(const std::byte*);
  }
  static std::size_t copied(const ConvShape& s) noexcept {
    return (static_cast<std::size_t>(copied_line_bytes(s, kAtOnce)) + kLine - 1) / kLine * kLine;
  }
  static std::size_t arranged(const SpConvPacked& w) noexcept {
    return w.order.empty() ? 0 : static_cast<std::size_t>(kAtOnce * kSpConvSpan * 4);
  }
  static std::size_t bytes(const SpConvPacked& w, const ConvShape& s) noexcept {
    return apart(pointers(w) + copied(s) + 2 * arranged(w));
  }
  Scratch(const SpConvPacked& w, const ConvShape& s, std::byte* from) noexcept
      : at(reinterpret_cast<const std::byte**>(from)),
        copies(from + pointers(w)),
        added(copies + copied(s)),
        out(added + arranged(w)) {}
};

struct Part {
  std::int64_t tile_begin, tile_end, block_begin, block_end;
};

struct Call {
  const SpConvPacked& w;
  const ConvShape& shape;
  const std::byte* input;
  const QConvEpilogue& epilogue;  ///< multipliers as rows go
  void* output;
  std::int64_t step;  ///< pixels of a tile
  bool bounded;
};

const std::uint8_t* slots_from(const SpConvPacked& w, std::int64_t block) noexcept {
  return w.data.empty() ? nullptr : w.data.data()->bytes + w.first_slot[block] * kSpConvSlot;
}

void set_blocks(const SpConvPacked& w, std::int64_t begin, std::int64_t end, SpConvTiles& t) noexcept {
  t.counts = w.counts.data() + begin * w.lines;
  t.windows = w.windows.data() + w.first_window[begin];
  t.window_count = w.first_window[end] - w.first_window[begin];
  t.data = slots_from(w, begin);
  t.channels = std::min(w.common.shape.out_c, end * kSpConvChannels) - begin * kSpConvChannels;
}

/// Tiles for a span whose rows are grouped: what is added is put where its row is, and results where they belong.
void run_span(const SpConvPacked& w, std::int64_t span, const Scratch& scratch, SpConvTiles t) noexcept {
  const QConvFinish whole = t.finish;
  const int rows = t.tiles * t.pixels, channels = static_cast<int>(t.channels);
  if (whole.residual) {
    w.kernel->arrange({whole.residual, scratch.added, whole.residual_stride, kSpConvSpan, rows, channels,
                       qconv_element_bytes(whole.residual_type), w.order.data() + span * kSpConvSpan});
    t.finish.residual = scratch.added, t.finish.residual_stride = kSpConvSpan;
  }
  t.finish.output = scratch.out, t.finish.stride = kSpConvSpan;
  w.kernel->tiles(t);
  w.kernel->arrange({scratch.out, whole.output, kSpConvSpan, whole.stride, rows, channels,
                     qconv_element_bytes(whole.output_type), w.places.data() + span * kSpConvSpan});
}

/// Tiles of as many pixels each, whose lines are found, and some blocks; `tile` has what all have in common.
void run_blocks(const Call& call, const Part& part, const Scratch& scratch, SpConvTiles tile) noexcept {
  const SpConvPacked& w = call.w;
  const std::int64_t unit = w.order.empty() ? part.block_end - part.block_begin : unit_blocks(w);
  for (std::int64_t block = part.block_begin; block < part.block_end; block += unit) {
    set_blocks(w, block, std::min(block + unit, part.block_end), tile);
    tile.finish =
        qconv_finish_at(w.common, call.epilogue, part.tile_begin * call.step, block * kSpConvChannels, call.output);
    if (w.order.empty())
      w.kernel->tiles(tile);
    else
      run_span(w, block / unit, scratch, tile);
    if (tile.ahead) tile.ahead += tile.tiles * tile.window_count * kLine;
  }
}

/// Up to kSpConvTiles tiles, whose lines are found, the last of which may be smaller, and some blocks.
void run_tiles(const Call& call, const Part& part, const std::uint8_t* ahead, const Scratch& scratch) noexcept {
  const SpConvPacked& w = call.w;
  const std::int64_t whole = std::min(part.tile_end, call.shape.pixels() / call.step);
  SpConvTiles tile{};
  tile.lines = w.lines, tile.length = w.length;
  tile.uniform = w.uniform, tile.regular = w.regular;
  tile.input_signed = w.common.input_signed;
  tile.bounded = call.bounded;
  tile.ahead = ahead;
  tile.inputs = reinterpret_cast<const std::uint8_t* const*>(scratch.at);
  tile.tiles = static_cast<int>(whole - part.tile_begin);
  tile.pixels = static_cast<int>(call.step);
  if (tile.tiles > 0) run_blocks(call, {part.tile_begin, whole, part.block_begin, part.block_end}, scratch, tile);
  if (whole == part.tile_end) return;
  tile.inputs += tile.tiles * w.lines * kSpConvPointers;
  if (ahead) tile.ahead += tile.tiles * (w.first_window[part.block_end] - w.first_window[part.block_begin]) * kLine;
  tile.tiles = 1;
  tile.pixels = static_cast<int>(call.shape.pixels() - whole * call.step);
  run_blocks(call, {whole, part.tile_end, part.block_begin, part.block_end}, scratch, tile);
}

/// Where few tiles share many weights, the first of them would wait for memory: blocks go in groups, and while all
/// tiles of one run, the next is fetched. With more tiles the first is a small part.
std::int64_t group_blocks(const SpConvPacked& w, const Part& part) noexcept {
  const std::int64_t blocks = part.block_end - part.block_begin, tiles = part.tile_end - part.tile_begin;
  const std::int64_t bytes = static_cast<std::int64_t>(w.data.bytes()) / w.blocks, unit = unit_blocks(w);
  if (tiles < 2 || tiles > kSpConvTiles || bytes * blocks < 2 * kFetched) return blocks;
  return std::max<std::int64_t>(kFetched / (bytes * unit), 1) * unit;
}

void run_part(const Call& call, const Part& part, const Scratch& scratch) noexcept {
  const SpConvPacked& w = call.w;
  const std::int64_t blocks = group_blocks(w, part);
  for (std::int64_t t = part.tile_begin, end; t < part.tile_end; t = end) {
    end = std::min<std::int64_t>(t + kSpConvTiles, part.tile_end);
    std::byte* copies = scratch.copies;
    for (std::int64_t i = t; i < end; ++i) {
      const std::int64_t pixel = i * call.step;
      find_lines(call.shape, call.input, reinterpret_cast<const std::byte*>(w.padding.data()), pixel,
                 static_cast<int>(std::min(call.step, call.shape.pixels() - pixel)), kSpConvPointers,
                 scratch.at + (i - t) * w.lines * kSpConvPointers, copies);
    }
    for (std::int64_t begin = part.block_begin, next; begin < part.block_end; begin = next) {
      next = std::min(begin + blocks, part.block_end);
      run_tiles(call, {t, end, begin, next}, next < part.block_end ? slots_from(w, next) : nullptr, scratch);
    }
  }
}

/// Bytes of multipliers as rows go.
std::size_t multiplier_bytes(const SpConvPacked& w) noexcept {
  return w.order.empty() ? 0 : apart(static_cast<std::size_t>(w.common.shape.out_c) * sizeof(float));
}

QConvEpilogue as_rows_go(const SpConvPacked& w, const QConvEpilogue& epilogue, float* multiplier) noexcept {
  QConvEpilogue own = epilogue;
  if (w.order.empty()) return own;
  for (std::int64_t c = 0; c < w.common.shape.out_c; ++c)
    multiplier[c] = epilogue.multiplier[c / kSpConvSpan * kSpConvSpan + w.order[static_cast<std::size_t>(c)]];
  own.multiplier = multiplier;
  return own;
}

}  // namespace

std::size_t spconv_scratch_bytes(const SpConvWeights& weights, const ConvShape& shape, int threads) noexcept {
  const SpConvPacked& w = weights.packed();
  return multiplier_bytes(w) + Scratch::bytes(w, shape) * static_cast<std::size_t>(std::max(threads, 1)) + kApart;
}

void spconv(const SpConvWeights& weights, const ConvShape& shape, const void* input, const QConvEpilogue& epilogue,
            void* output, void* scratch, int threads) noexcept {
  const SpConvPacked& w = weights.packed();
  const std::int64_t parts = std::max(threads, 1), step = tile_pixels(shape.pixels()),
                     tiles = (shape.pixels() + step - 1) / step;
  const std::int64_t unit = unit_blocks(w), units = (w.blocks + unit - 1) / unit;
  const bool by_channels = tiles < 4 * parts && units >= parts;  // too few tiles to share out evenly
  auto* from = reinterpret_cast<std::byte*>(apart(reinterpret_cast<std::uintptr_t>(scratch)));
  const QConvEpilogue own = as_rows_go(w, epilogue, reinterpret_cast<float*>(from));
  from += multiplier_bytes(w);
  const bool bounded = qconv_bounded(epilogue, shape.out_c);
  const Call call{w, shape, static_cast<const std::byte*>(input), own, output, step, bounded};
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t all = by_channels ? units : tiles, first = all * i / parts, last = all * (i + 1) / parts;
      const Part part =
          by_channels ? Part{0, tiles, first * unit, std::min(last * unit, w.blocks)} : Part{first, last, 0, w.blocks};
      run_part(call, part, Scratch(w, shape, from + i * static_cast<std::int64_t>(Scratch::bytes(w, shape))));
    }
  };
  if (parts == 1)
    body(0, 1);
  else
    parallel_for(parts, 1, std::ref(body));
}

std::span<const SpConvKernel* const> spconv_kernels() noexcept { return kRows; }
const char* spconv_kernel_name(const SpConvKernel& kernel) noexcept { return kernel.name; }
Isa spconv_kernel_isa(const SpConvKernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
