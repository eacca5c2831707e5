// The walk over panels and blocks.
#include "kernels/sppanel/sppanel.h"

#include <algorithm>

#include "base/threads.h"
#include "kernels/taps.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                \
  namespace ns {                                  \
  void panel_gather(const PanelGather&) noexcept; \
  void panel_shift(const PanelShift&) noexcept;   \
  void panel_spread(const PanelSpread&) noexcept; \
  }
#include "kernels/sppanel/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr PanelMoves kTable[] = {
#define PARE_KERNEL(file, ns, isa) {Isa::isa, ns::panel_gather, ns::panel_shift, ns::panel_spread},
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

/// What pixels [pixel, pixel + count) read at each tap; padding outside the image and past the last pixel. Of a value
/// in panels what is found is numbers, as pointers to pixels of one byte.
void find_pixels(const PanelCall& call, std::int64_t pixel, int count, int width, const std::uint32_t** at) noexcept {
  const PanelWeights& w = call.weights;
  const auto bytes = call.in_panels ? 1 : w.elements * static_cast<std::int64_t>(sizeof(std::uint32_t));
  find_taps(call.shape, call.in, bytes, w.padding.data(), pixel, count, kPanelPixels,
            reinterpret_cast<const std::byte**>(at));
  for (std::int64_t tap = 0; tap < w.taps; ++tap)
    std::fill(at + tap * kPanelPixels + count, at + tap * kPanelPixels + width, w.padding.data());
}

/// Fills the panel with `count` elements of a tap from `element` on, as inputs from `to` on.
void gather(const PanelCall& call, const Workspace& work, std::int64_t tap, std::int64_t element, std::int64_t count,
            int vectors, std::uint32_t* to) noexcept {
  const PanelWeights& w = call.weights;
  const std::uint32_t* const* pixels = work.pixels + tap * kPanelPixels;
  const std::int64_t stride = w.block * kPanelLanes;
  if (!call.in_panels) {
    const std::uint32_t* shifted[kPanelPixels];
    for (int p = 0; p < kPanelLanes * vectors; ++p) shifted[p] = pixels[p] + element;
    return call.moves.gather({shifted, count, vectors, w.flip, to, stride});
  }
  const ConvShape& s = call.shape;
  for (int v = 0; v < vectors; ++v)
    call.moves.shift({reinterpret_cast<const std::byte* const*>(pixels + v * kPanelLanes),
                      reinterpret_cast<const std::byte*>(call.in),
                      static_cast<std::uint64_t>(s.batch * s.in_h * s.in_w), call.in + element * kPanelLanes,
                      w.elements * kPanelLanes, count, to + v * stride});
}

/// Fills the panel with inputs [begin, end), which may span taps.
void gather(const PanelCall& call, const Workspace& work, std::int64_t begin, std::int64_t end, int vectors) noexcept {
  const PanelWeights& w = call.weights;
  for (std::int64_t at = begin; at < end;) {
    const std::int64_t element = at % w.elements, count = std::min(end - at, w.elements - element);
    gather(call, work, at / w.elements, element, count, vectors, work.panel + (at - begin) * kPanelLanes);
    at += count;
  }
}

/// Pixels [pixel, pixel + count) of the output channels of chunks [begin, end).
PanelSums run_panel(const PanelCall& call, std::int64_t pixel, int count, std::int64_t begin, std::int64_t end,
                    const Workspace& work) noexcept {
  const PanelWeights& w = call.weights;
  const int vectors = (count + kPanelLanes - 1) / kPanelLanes;
  const std::int64_t inputs = w.taps * w.elements;
  const bool as_it_lies = call.in_panels && reads_as_it_lies(call.shape);
  if (!as_it_lies) find_pixels(call, pixel, count, vectors * kPanelLanes, work.pixels);
  PanelProduct product{};
  product.weights = w.weights.data(), product.which = w.which.data();
  product.sums = call.out ? call.out + pixel * w.out_c : work.sums;
  product.sum_stride = kPanelLanes * (call.out ? w.out_c : w.out_c + 1);
  product.vectors = vectors;
  PanelEnds ends;
  if (call.ends) {
    ends = *call.ends;
    if (ends.added) ends.added += pixel / kPanelLanes * ends.stride;
    product.ends = &ends;
  }
  for (std::int64_t block = 0; block < w.blocks; ++block) {
    product.inputs = as_it_lies ? call.in + pixel * w.elements + block * w.block * kPanelLanes : work.panel;
    product.input_stride = kPanelLanes * (as_it_lies ? w.elements : w.block);
    if (!as_it_lies) gather(call, work, block * w.block, std::min(inputs, (block + 1) * w.block), vectors);
    const std::int64_t from = w.first[static_cast<std::size_t>(block * w.chunks + begin)],
                       to = w.first[static_cast<std::size_t>(block * w.chunks + end)];
    product.pairs = w.pairs.data() + from, product.pair_count = to - from;
    product.first = block == 0, product.last = block + 1 == w.blocks;
    if (as_it_lies && pixel + count < call.shape.pixels()) {
      product.next = product.inputs + vectors * product.input_stride;
      product.next_lines = std::min(w.block, inputs - block * w.block);
    }
    call.multiply(product);
  }
  return {product.sums, product.sum_stride, count, pixel, begin * kPanelChunk, std::min(w.out_c, end * kPanelChunk)};
}

}  // namespace

const PanelMoves& panel_moves(Isa isa) noexcept {
  return *std::find_if(std::begin(kTable), std::end(kTable) - 1, [&](const PanelMoves& row) { return row.isa <= isa; });
}

std::size_t panel_scratch_bytes(const PanelWeights& weights, int threads) noexcept {
  return Workspace::bytes(weights) * static_cast<std::size_t>(std::max(threads, 1)) + kApart;
}

std::int64_t panel_elements(std::int64_t pixels, std::int64_t channels) noexcept {
  return (pixels + kPanelLanes - 1) / kPanelLanes * kPanelLanes * channels;
}

void run_panels(const PanelCall& call, void* scratch, int threads,
                const std::function<void(const PanelSums&)>& finish) noexcept {
  const PanelWeights& w = call.weights;
  const std::int64_t pixels = call.shape.pixels(), vectors = (pixels + kPanelLanes - 1) / kPanelLanes,
                     panels = (vectors + kPanelVectors - 1) / kPanelVectors, parts = std::max(threads, 1);
  const bool by_channels = panels < 2 * parts && w.chunks >= parts;  // too few panels to share out evenly
  auto* base = reinterpret_cast<std::byte*>(apart(reinterpret_cast<std::uintptr_t>(scratch)));
  const auto body = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const Workspace work(w, base + static_cast<std::size_t>(i) * Workspace::bytes(w));
      const std::int64_t units = by_channels ? w.chunks : panels, from = units * i / parts,
                         to = units * (i + 1) / parts;
      if (from == to) continue;
      for (std::int64_t panel = by_channels ? 0 : from; panel < (by_channels ? panels : to); ++panel) {
        const std::int64_t begin = vectors * panel / panels * kPanelLanes,
                           end = std::min(pixels, vectors * (panel + 1) / panels * kPanelLanes);
        const PanelSums sums = run_panel(call, begin, static_cast<int>(end - begin), by_channels ? from : 0,
                                         by_channels ? to : w.chunks, work);
        if (!call.out) finish(sums);
      }
    }
  };
  if (parts == 1)
    body(0, 1);
  else
    parallel_for(parts, 1, std::ref(body));
}

}  // namespace pare::kernels
