// The table of pointwise kernels and the walk over chunks of pixels and panels of output channels.
#include "kernels/pointwise/pointwise.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "base/threads.h"
#include "kernels/pointwise/row.h"
#include "kernels/window.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa, lanes, rows)         \
  namespace ns {                                        \
  void pointwise_block(const PointwiseBlock&) noexcept; \
  }
#include "kernels/pointwise/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr PointwiseKernel kTable[] = {
#define PARE_KERNEL(file, ns, isa, lanes, rows) {"pointwise_f32__" #ns, Isa::isa, lanes, rows, ns::pointwise_block},
#include "kernels/pointwise/kernels.inc"
#undef PARE_KERNEL
};

constexpr auto kRows = rows_of(kTable);

constexpr std::int64_t kShare = 4;                ///< of L2: a quarter holds a chunk's pixels
constexpr std::int64_t kLeastCache = 256 * 1024;  ///< bytes, where the CPU does not say how large L2 is

constexpr std::size_t kLight = 64 * 1024;  ///< bytes of weights that are read anew for each tile

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

struct Range {
  std::int64_t begin, end;
  std::int64_t size() const noexcept { return end - begin; }
};
Range part_of(const Range& all, std::int64_t index, std::int64_t parts) {
  return {all.begin + all.size() * index / parts, all.begin + all.size() * (index + 1) / parts};
}

struct Product {
  const PointwisePacked& w;
  std::int64_t pixels;
  const float* in;
  const PointwiseEpilogue& epilogue;
  float* out;

  std::int64_t tiles() const noexcept { return divide_up(pixels, w.kernel->rows); }
  /// Tiles are all about equally high.
  std::int64_t pixel(std::int64_t tile) const noexcept { return pixels * tile / tiles(); }

  void block(std::int64_t tile, std::int64_t panel, const float* ahead, std::int64_t step) const noexcept {
    const std::int64_t from = pixel(tile), column = panel * w.width(), at = from * w.out_c + column;
    const std::int64_t vectors = w.vectors(panel);
    w.kernel->block({in + from * w.in_c, w.in_c, w.panel(panel), ahead, step, w.bias.data() + column,
                     epilogue.residual ? epilogue.residual + at : nullptr, out + at, w.out_c,
                     std::min(vectors * w.kernel->lanes, w.out_c - column), static_cast<int>(pixel(tile + 1) - from),
                     static_cast<int>(vectors), epilogue.lo, epilogue.hi, epilogue.activation});
  }

  /// Tiles that stay in the cache, panel by panel. A channel of a panel is two lines (AVX-512) or one: each tile
  /// fetches its part of the next panel.
  void chunk(const Range& tiles, const Range& panels) const noexcept {
    const auto count = static_cast<std::uint64_t>(tiles.size());
    const std::int64_t each = std::max<std::int64_t>(4, w.width() / static_cast<std::int64_t>(std::bit_ceil(count)));
    for (std::int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const float* next = w.panel(panel + 1 < panels.end ? panel + 1 : panels.begin);
      for (std::int64_t tile = tiles.begin; tile < tiles.end; ++tile) {
        const std::int64_t done = (tile - tiles.begin) * each;
        const bool fetched = done >= w.width();
        block(tile, panel, fetched ? next : next + done * w.in_c, fetched ? 0 : each);
      }
    }
  }

  /// All panels stay in the cache: tile by tile, and what is fetched are the pixels of the next.
  void pass(const Range& tiles, const Range& panels) const noexcept {
    for (std::int64_t tile = tiles.begin; tile < tiles.end; ++tile) {
      const float* next = in + pixel(std::min(tile + 1, tiles.end - 1)) * w.in_c;
      for (std::int64_t panel = panels.begin; panel < panels.end; ++panel)
        block(tile, panel, next, panel == panels.begin ? w.kernel->rows : 0);
    }
  }

  void run(const Range& tiles, const Range& panels) const noexcept {
    if (w.weights.bytes() <= kLight) return pass(tiles, panels);
    const std::int64_t tile_bytes = w.kernel->rows * w.in_c * static_cast<std::int64_t>(sizeof(float));
    const std::int64_t fits = std::max<std::int64_t>(1, std::max(cpu_info().l2, kLeastCache) / kShare / tile_bytes);
    const std::int64_t chunks = divide_up(tiles.size(), fits);
    for (std::int64_t i = 0; i < chunks; ++i) chunk(part_of(tiles, i, chunks), panels);
  }
};

}  // namespace

const PointwiseKernel& best_pointwise_kernel() { return *best_row(kRows); }

bool pointwise_fits(const ConvShape& s) noexcept {
  return s.taps() == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_top == 0 && s.pad_left == 0 &&
         s.in_h == s.out_h && s.in_w == s.out_w && s.groups == 1;
}

bool pointwise_fits_gathered(const ConvShape& s) noexcept {
  return s.taps() == 1 && s.stride_h * s.stride_w > 1 && s.pad_top == 0 && s.pad_left == 0 && s.groups == 1 &&
         (s.out_h - 1) * s.stride_h < s.in_h && (s.out_w - 1) * s.stride_w < s.in_w;
}

void gather_pixels(const ConvShape& s, const float* in, float* out) noexcept {
  const auto rows = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t row = first; row < last; ++row) {
      const std::int64_t image = row / s.out_h, y = row % s.out_h * s.stride_h;
      const float* from = in + (image * s.in_h + y) * s.in_w * s.in_c;
      for (std::int64_t x = 0; x < s.out_w; ++x)
        std::copy_n(from + x * s.stride_w * s.in_c, s.in_c, out + (row * s.out_w + x) * s.in_c);
    }
  };
  const std::int64_t each = std::max<std::int64_t>(1, s.out_w * s.in_c);
  parallel_for(s.batch * s.out_h, divide_up(kGrainOperations, each), std::ref(rows));
}

void pointwise(const PointwiseWeights& weights, const ConvShape& shape, const float* in,
               const PointwiseEpilogue& epilogue, float* out, int threads) noexcept {
  const Product product{weights.packed(), shape.pixels(), in, epilogue, out};
  const Range tiles{0, product.tiles()}, panels{0, product.w.panels()};
  const std::int64_t parts = std::max(threads, 1);
  if (parts == 1) return product.run(tiles, panels);
  // By what leaves the longest part shorter.
  const bool by_panels = divide_up(panels.end, parts) * tiles.end < divide_up(tiles.end, parts) * panels.end;
  const auto range = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i)
      by_panels ? product.run(tiles, part_of(panels, i, parts)) : product.run(part_of(tiles, i, parts), panels);
  };
  parallel_for(parts, 1, std::ref(range));
}

std::span<const PointwiseKernel* const> pointwise_kernels() noexcept { return kRows; }
const char* pointwise_kernel_name(const PointwiseKernel& kernel) noexcept { return kernel.name; }
Isa pointwise_kernel_isa(const PointwiseKernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
