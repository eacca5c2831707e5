// The walk over panels and blocks.
#include "kernels/sppanel/sppanel.h"

#include <algorithm>

#include "base/threads.h"
#include "kernels/taps.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                \
  namespace ns {                                  \
  void panel_gather(const PanelGather&) noexcept; \
  void panel_spread(const PanelSpread&) noexcept; \
  }
#include "kernels/sppanel/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr PanelMoves kTable[] = {
#define PARE_KERNEL(file, ns, isa) {Isa::isa, ns::panel_gather, ns::panel_spread},
#include "kernels/sppanel/kernels.inc"
#undef PARE_KERNEL
};

constexpr std::size_t kAlign = 64;
constexpr std::size_t round_up(std::size_t n) { return (n + kAlign - 1) / kAlign * kAlign; }

/// Scratch of one thread.
struct Workspace {
  std::uint32_t *panel, *sums;
  const std::uint32_t** pixels;  ///< [taps][kPanelPixels]

  static std::size_t panel_bytes(const PanelWeights& w) {
    return round_up(static_cast<std::size_t>(w.block) * kPanelPixels * sizeof(std::uint32_t));
  }
  static std::size_t sums_bytes(const PanelWeights& w) {
    return round_up(static_cast<std::size_t>(w.out_c + 1) * kPanelPixels * sizeof(std::uint32_t));
  }
  static std::size_t bytes(const PanelWeights& w) {
    return apart(panel_bytes(w) + sums_bytes(w) +
                 static_cast<std::size_t>(w.taps) * kPanelPixels * sizeof(const std::uint32_t*));
  }
  Workspace(const PanelWeights& w, std::byte* at)
      : panel(reinterpret_cast<std::uint32_t*>(at)),
        sums(reinterpret_cast<std::uint32_t*>(at + panel_bytes(w))),
        pixels(reinterpret_cast<const std::uint32_t**>(at + panel_bytes(w) + sums_bytes(w))) {}
};

/// What pixels [pixel, pixel + count) read at each tap; padding outside the image and past the last pixel.
void find_pixels(const PanelWeights& w, const ConvShape& s, const std::uint32_t* in, std::int64_t pixel, int count,
                 int width, const std::uint32_t** at) noexcept {
  find_taps(s, in, w.elements * static_cast<std::int64_t>(sizeof(std::uint32_t)), w.padding.data(), pixel, count,
            kPanelPixels, reinterpret_cast<const std::byte**>(at));
  for (std::int64_t tap = 0; tap < w.taps; ++tap)
    std::fill(at + tap * kPanelPixels + count, at + tap * kPanelPixels + width, w.padding.data());
}

/// Fills the panel with inputs [begin, end), which may span taps.
void gather(const PanelCall& call, const Workspace& work, std::int64_t begin, std::int64_t end, int vectors) noexcept {
  const PanelWeights& w = call.weights;
  const std::uint32_t* shifted[kPanelPixels];
  for (std::int64_t at = begin; at < end;) {
    const std::int64_t tap = at / w.elements, element = at % w.elements, count = std::min(end - at, w.elements - element);
    for (int p = 0; p < kPanelLanes * vectors; ++p) shifted[p] = work.pixels[tap * kPanelPixels + p] + element;
    call.moves.gather({shifted, count, vectors, w.flip, work.panel + (at - begin) * kPanelLanes * vectors});
    at += count;
  }
}

/// Pixels [pixel, pixel + count) of the output channels of chunks [begin, end).
PanelSums run_panel(const PanelCall& call, const std::uint32_t* in, std::int64_t pixel, int count, std::int64_t begin,
                    std::int64_t end, const Workspace& work) noexcept {
  const PanelWeights& w = call.weights;
  const int vectors = (count + kPanelLanes - 1) / kPanelLanes;
  const std::int64_t inputs = w.taps * w.elements;
  find_pixels(w, call.shape, in, pixel, count, vectors * kPanelLanes, work.pixels);
  for (std::int64_t block = 0; block < w.blocks; ++block) {
    gather(call, work, block * w.block, std::min(inputs, (block + 1) * w.block), vectors);
    const std::int64_t from = w.first[static_cast<std::size_t>(block * w.chunks + begin)],
                       to = w.first[static_cast<std::size_t>(block * w.chunks + end)];
    call.multiply({work.panel, w.pairs.data() + from, to - from, w.entries.data(), work.sums, block == 0, vectors});
  }
  return {work.sums, vectors, count, pixel, begin * kPanelChunk, std::min(w.out_c, end * kPanelChunk)};
}

}  // namespace

const PanelMoves& panel_moves(Isa isa) noexcept {
  return *std::find_if(std::begin(kTable), std::end(kTable) - 1, [&](const PanelMoves& row) { return row.isa <= isa; });
}

std::size_t panel_scratch_bytes(const PanelWeights& weights, int threads) noexcept {
  return Workspace::bytes(weights) * static_cast<std::size_t>(std::max(threads, 1)) + kApart;
}

void run_panels(const PanelCall& call, const std::uint32_t* in, void* scratch, int threads,
                const std::function<void(const PanelSums&)>& finish) noexcept {
  const PanelWeights& w = call.weights;
  const std::int64_t pixels = call.shape.pixels(), vectors = (pixels + kPanelLanes - 1) / kPanelLanes,
                     panels = (vectors + kPanelVectors - 1) / kPanelVectors, parts = std::max(threads, 1);
  const bool by_channels = panels < 2 * parts && w.chunks >= parts;  // too few panels to share out evenly
  auto* base = reinterpret_cast<std::byte*>(apart(reinterpret_cast<std::uintptr_t>(scratch)));
  const auto body = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const Workspace work(w, base + static_cast<std::size_t>(i) * Workspace::bytes(w));
      const std::int64_t units = by_channels ? w.chunks : panels, from = units * i / parts, to = units * (i + 1) / parts;
      if (from == to) continue;
      for (std::int64_t panel = by_channels ? 0 : from; panel < (by_channels ? panels : to); ++panel) {
        const std::int64_t begin = vectors * panel / panels * kPanelLanes,
                           end = std::min(pixels, vectors * (panel + 1) / panels * kPanelLanes);
        finish(run_panel(call, in, begin, static_cast<int>(end - begin), by_channels ? from : 0,
                         by_channels ? to : w.chunks, work));
      }
    }
  };
  if (parts == 1)
    body(0, 1);
  else
    parallel_for(parts, 1, std::ref(body));
}

}  // namespace pare::kernels
