// The table of sparse integer convolutions, and the walk over tiles.
#include "kernels/spconv/spconv.h"

#include <algorithm>
#include <functional>

#include "base/threads.h"
#include "kernels/spconv/row.h"
#include "kernels/taps.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                  \
  namespace ns {                                    \
  void spconv_tiles(const SpConvTiles& t) noexcept; \
  }
#include "kernels/spconv/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr SpConvKernel kTable[] = {
#define PARE_KERNEL(file, ns, isa) {"spconv__" #ns, Isa::isa, ns::spconv_tiles},
#include "kernels/spconv/kernels.inc"
#undef PARE_KERNEL
};

constexpr auto kRows = rows_of(kTable);

constexpr std::int64_t kLine = 64;
constexpr std::int64_t kFewTiles = 8;
constexpr std::int64_t kFetched = 64 * 1024;  ///< bytes of weights that are fetched while others are used

/// Pixels a tile: the fewest tiles, as even as they come.
std::int64_t tile_pixels(std::int64_t pixels) noexcept {
  const std::int64_t tiles = (pixels + kSpConvPixels - 1) / kSpConvPixels;
  return (pixels + tiles - 1) / tiles;
}

struct Part {
  std::int64_t tile_begin, tile_end, block_begin, block_end;
};

/// All tiles of a part of some blocks; `ahead`: the slots that come next, nullptr: none.
void run_blocks(const SpConvPacked& w, const ConvShape& s, const void* input, const QConvEpilogue& epilogue,
                void* output, const Part& part, bool bounded, const std::uint8_t* ahead,
                const std::byte** at) noexcept {
  const std::int64_t pixels = s.pixels(), step = tile_pixels(pixels), per_block = s.taps() * w.groups;
  const std::int64_t channel = part.block_begin * kSpConvChannels;
  SpConvTiles tile{};
  tile.slots = w.slots.data() + part.block_begin * per_block;
  tile.data = w.data.empty() ? nullptr : w.data[0].bytes + w.first[part.block_begin] * kSpConvSlot;
  tile.channels = std::min(s.out_c, part.block_end * kSpConvChannels) - channel;
  tile.inputs = reinterpret_cast<const std::uint8_t* const*>(at);
  tile.uniform = w.uniform;
  tile.taps = s.taps(), tile.groups = w.groups;
  tile.tail = static_cast<int>(s.in_c - (w.groups - 1) * kSpConvGroup);
  tile.input_signed = w.common.input_signed;
  tile.bounded = bounded;
  tile.ahead = ahead;
  for (std::int64_t t = part.tile_begin; t < part.tile_end; t += tile.tiles) {
    const std::int64_t whole = std::min(part.tile_end, pixels / step) - t;  // the last tile may be smaller
    tile.tiles = static_cast<int>(std::clamp<std::int64_t>(whole, 1, kSpConvTiles));
    tile.pixels = static_cast<int>(std::min(step, pixels - t * step));
    for (int i = 0; i < tile.tiles; ++i)
      find_taps(s, input, s.in_c, w.padding.data(), (t + i) * step, tile.pixels, kSpConvPointers,
                at + i * s.taps() * kSpConvPointers);
    tile.finish = qconv_finish_at(w.common, epilogue, t * step, channel, output);
    w.kernel->tiles(tile);
    if (ahead) tile.ahead += tile.tiles * (part.block_end - part.block_begin) * per_block * kLine;
  }
}

/// Where few tiles share many weights, the first of them would wait for memory: blocks go in groups, and while all
/// tiles of one run, the next is fetched. With more tiles the first is a small part, and finding what they read once
/// more is not.
std::int64_t group_blocks(const SpConvPacked& w, const Part& part) noexcept {
  const std::int64_t blocks = part.block_end - part.block_begin, tiles = part.tile_end - part.tile_begin;
  const std::int64_t bytes = static_cast<std::int64_t>(w.data.bytes()) / w.blocks;
  if (tiles < 2 || tiles > kFewTiles || bytes * blocks < 2 * kFetched) return blocks;
  return std::max<std::int64_t>(kFetched / bytes, 1);
}

void run_part(const SpConvPacked& w, const ConvShape& s, const void* input, const QConvEpilogue& epilogue, void* output,
              const Part& part, const std::byte** at) noexcept {
  if (part.block_begin == part.block_end) return;
  const bool bounded = qconv_bounded(epilogue, s.out_c);
  const std::int64_t blocks = group_blocks(w, part);
  for (std::int64_t begin = part.block_begin; begin < part.block_end; begin += blocks) {
    const std::int64_t end = std::min(begin + blocks, part.block_end);
    const std::uint8_t* ahead = end < part.block_end ? w.data[0].bytes + w.first[end] * kSpConvSlot : nullptr;
    run_blocks(w, s, input, epilogue, output, {part.tile_begin, part.tile_end, begin, end}, bounded, ahead, at);
  }
}

/// Of one thread.
std::size_t pointers_bytes(const SpConvPacked& w) noexcept {
  return apart(static_cast<std::size_t>(kSpConvTiles * w.common.shape.taps() * kSpConvPointers) *
               sizeof(const std::uint8_t*));
}

}  // namespace

std::size_t spconv_scratch_bytes(const SpConvWeights& weights, int threads) noexcept {
  return pointers_bytes(weights.packed()) * static_cast<std::size_t>(std::max(threads, 1)) + kApart;
}

void spconv(const SpConvWeights& weights, const ConvShape& shape, const void* input, const QConvEpilogue& epilogue,
            void* output, void* scratch, int threads) noexcept {
  const SpConvPacked& w = weights.packed();
  const std::int64_t parts = std::max(threads, 1), step = tile_pixels(shape.pixels()),
                     tiles = (shape.pixels() + step - 1) / step;
  const bool by_channels = tiles < 4 * parts && w.blocks >= parts;  // too few tiles to share out evenly
  auto* pointers = reinterpret_cast<std::byte*>(apart(reinterpret_cast<std::uintptr_t>(scratch)));
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t units = by_channels ? w.blocks : tiles, from = units * i / parts, to = units * (i + 1) / parts;
      const Part part = by_channels ? Part{0, tiles, from, to} : Part{from, to, 0, w.blocks};
      run_part(w, shape, input, epilogue, output, part,
               reinterpret_cast<const std::byte**>(pointers + i * static_cast<std::int64_t>(pointers_bytes(w))));
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
