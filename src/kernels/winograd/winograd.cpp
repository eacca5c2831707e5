// The table of Winograd's kernels and the walk over blocks of tiles and panels of output channels.
#include "kernels/winograd/winograd.h"

#include <algorithm>
#include <functional>

#include "base/threads.h"
#include "kernels/taps.h"
#include "kernels/winograd/row.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                         \
  namespace ns {                                           \
  void winograd_transform(const WinogradInput&) noexcept;  \
  void winograd_products(const WinogradProduct&) noexcept; \
  void winograd_finish(const WinogradOutput&) noexcept;    \
  }
#include "kernels/winograd/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr std::int64_t lanes_of(Isa isa) { return isa >= Isa::kAvx512 ? 16 : 8; }

constexpr WinogradKernel kTable[] = {
#define PARE_KERNEL(file, ns, isa)                                                           \
  {"winograd4x4_f32__" #ns, "winograd2x2_f32__" #ns, Isa::isa,           lanes_of(Isa::isa), \
   ns::winograd_transform,  ns::winograd_products,   ns::winograd_finish},
#include "kernels/winograd/kernels.inc"
#undef PARE_KERNEL
};

constexpr auto kRows = rows_of(kTable);

constexpr std::int64_t kLine = 16;                ///< floats
constexpr std::int64_t kShare = 4;                ///< of L2: a quarter holds a block's inputs
constexpr std::int64_t kLeastCache = 256 * 1024;  ///< bytes, where the CPU does not say how large L2 is
constexpr std::int64_t kManyTiles = 28;           ///< multiplied with weights while these are in a cache

constexpr std::int64_t kFewTiles = 20;            ///< of a thread, for which its part of the weights alone is read

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// How a call is cut. Positions lie a line further apart than they must: else all would fall into the same sets of L1.
struct Walk {
  const WinogradPacked& w;
  const ConvShape& s;
  std::int64_t parts, tiles_h, tiles_w, tiles, chunks;
  bool by_panels;              ///< threads share the tiles of a block and split its panels
  std::int64_t blocks, block;  ///< of tiles, at most `block` each
  std::int64_t input_position, sums_position;

  Walk(const WinogradPacked& weights, const ConvShape& shape, int threads) noexcept : w(weights), s(shape) {
    parts = std::max(threads, 1);
    tiles_h = divide_up(s.out_h, w.tile), tiles_w = divide_up(s.out_w, w.tile);
    tiles = s.batch * tiles_h * tiles_w;
    chunks = divide_up(w.in_c, kWinogradLanes);
    by_panels = parts > 1 && tiles < kFewTiles * parts && w.panels() >= parts;
    const std::int64_t tile_bytes = w.positions() * chunks * kWinogradLanes * static_cast<std::int64_t>(sizeof(float));
    const std::int64_t fits = std::max(kManyTiles, std::max(cpu_info().l2, kLeastCache) / kShare / tile_bytes);
    blocks = divide_up(tiles, fits);
    if (!by_panels) blocks = std::min(tiles, divide_up(blocks, parts) * parts);
    block = divide_up(tiles, std::max<std::int64_t>(blocks, 1));
    input_position = chunks * block * kWinogradLanes + kLine;
    sums_position = block * w.width() + kLine;
  }

  std::int64_t input_floats() const noexcept { return w.positions() * input_position; }
  std::int64_t sums_floats() const noexcept { return w.positions() * sums_position; }
  std::int64_t inputs() const noexcept { return by_panels ? 1 : parts; }  ///< blocks of inputs held at once
  std::int64_t floats() const noexcept { return inputs() * input_floats() + parts * sums_floats(); }
  std::int64_t begin(std::int64_t index) const noexcept { return tiles * index / blocks; }
};

/// Convolution whose taps are what tiles read.
ConvShape tile_shape(const Walk& walk) noexcept {
  ConvShape s = walk.s;
  s.out_h = walk.tiles_h, s.out_w = walk.tiles_w;
  s.kh = s.kw = walk.w.edge();
  s.stride_h = s.stride_w = walk.w.tile;
  return s;
}

/// Tiles [from, to) of the block that begins at `begin` and has `tiles`.
void transform_tiles(const Walk& walk, const float* in, std::int64_t begin, std::int64_t tiles, std::int64_t from,
                     std::int64_t to, float* input) noexcept {
  constexpr std::int64_t kMostPositions = 36;
  const ConvShape shape = tile_shape(walk);
  const float* pixels[kMostPositions * kWinogradGroup];
  for (std::int64_t t = from; t < to; t += kWinogradGroup) {
    const int count = static_cast<int>(std::min<std::int64_t>(kWinogradGroup, to - t));
    find_taps(shape, in, walk.w.in_c * static_cast<std::int64_t>(sizeof(float)), walk.w.padding.data(), begin + t,
              count, kWinogradGroup, reinterpret_cast<const std::byte**>(pixels));
    walk.w.kernel->transform({walk.w.tile, pixels, count, walk.w.in_c, input + t * kWinogradLanes, walk.input_position,
                              tiles * kWinogradLanes});
  }
}

void finish_tiles(const Walk& walk, std::int64_t begin, std::int64_t tiles, std::int64_t panel, const ConvEpilogue& e,
                  const float* sums, float* out) noexcept {
  const WinogradPacked& w = walk.w;
  const ConvShape& s = walk.s;
  const std::int64_t channel = panel * w.width(), width = w.vectors(panel) * w.kernel->lanes;
  for (std::int64_t t = 0; t < tiles; ++t) {
    const std::int64_t tile = begin + t, y = tile / walk.tiles_w % walk.tiles_h * w.tile,
                       x = tile % walk.tiles_w * w.tile, image = tile / (walk.tiles_h * walk.tiles_w);
    const std::int64_t at = ((image * s.out_h + y) * s.out_w + x) * s.out_c + channel;
    w.kernel->finish({w.tile, sums + t * width, walk.sums_position, w.bias.data() + channel,
                      e.residual ? e.residual + at : nullptr, out + at, s.out_w * s.out_c, s.out_c,
                      std::min<std::int64_t>(w.tile, s.out_h - y), std::min<std::int64_t>(w.tile, s.out_w - x),
                      std::min(width, s.out_c - channel), e.lo, e.hi});
  }
}

void run_panels(const Walk& walk, const float* input, std::int64_t begin, std::int64_t tiles, std::int64_t from,
                std::int64_t to, const ConvEpilogue& epilogue, float* sums, float* out) noexcept {
  const WinogradPacked& w = walk.w;
  for (std::int64_t panel = from; panel < to; ++panel) {
    w.kernel->products({input, walk.input_position, w.panel(panel), sums, walk.sums_position, tiles, w.in_c,
                        static_cast<int>(w.positions()), static_cast<int>(w.vectors(panel))});
    finish_tiles(walk, begin, tiles, panel, epilogue, sums, out);
  }
}

/// body(i) for every part.
template <class Body>
void for_parts(std::int64_t parts, const Body& body) noexcept {
  if (parts == 1) return body(0);
  const auto range = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) body(i);
  };
  parallel_for(parts, 1, std::ref(range));
}

}  // namespace

const WinogradKernel& best_winograd_kernel() { return *best_row(kRows); }

bool winograd_fits(const ConvShape& s) noexcept {
  return s.kh == 3 && s.kw == 3 && s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 && s.dilation_w == 1 &&
         s.groups == 1;
}

std::size_t winograd_scratch_bytes(const WinogradWeights& weights, const ConvShape& shape, int threads) noexcept {
  const Walk walk(weights.packed(), shape, threads);
  return static_cast<std::size_t>(walk.floats() + kLine) * sizeof(float);
}

void winograd(const WinogradWeights& weights, const ConvShape& shape, const float* in, const ConvEpilogue& epilogue,
              float* out, void* scratch, int threads) noexcept {
  const Walk walk(weights.packed(), shape, threads);
  constexpr std::uintptr_t kAlign = kLine * sizeof(float);
  float* const inputs =
      reinterpret_cast<float*>((reinterpret_cast<std::uintptr_t>(scratch) + kAlign - 1) / kAlign * kAlign);
  float* const sums = inputs + walk.inputs() * walk.input_floats();
  const std::int64_t parts = walk.parts, panels = walk.w.panels();
  if (walk.by_panels) {
    for (std::int64_t b = 0; b < walk.blocks; ++b) {
      const std::int64_t begin = walk.begin(b), tiles = walk.begin(b + 1) - begin;
      for_parts(parts, [&](std::int64_t i) {
        transform_tiles(walk, in, begin, tiles, tiles * i / parts, tiles * (i + 1) / parts, inputs);
      });
      for_parts(parts, [&](std::int64_t i) {
        run_panels(walk, inputs, begin, tiles, panels * i / parts, panels * (i + 1) / parts, epilogue,
                   sums + i * walk.sums_floats(), out);
      });
    }
    return;
  }
  for_parts(parts, [&](std::int64_t i) {
    float* const own = inputs + i * walk.input_floats();
    for (std::int64_t b = walk.blocks * i / parts; b < walk.blocks * (i + 1) / parts; ++b) {
      const std::int64_t begin = walk.begin(b), tiles = walk.begin(b + 1) - begin;
      transform_tiles(walk, in, begin, tiles, 0, tiles, own);
      run_panels(walk, own, begin, tiles, 0, panels, epilogue, sums + i * walk.sums_floats(), out);
    }
  });
}

std::span<const WinogradKernel* const> winograd_kernels() noexcept { return kRows; }
const char* winograd_kernel_name(const WinogradKernel& kernel, WinogradTile tile) noexcept {
  return tile == WinogradTile::k4x4 ? kernel.name4 : kernel.name2;
}
Isa winograd_kernel_isa(const WinogradKernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
