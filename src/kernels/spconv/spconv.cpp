// The table of sparse integer convolutions, and the walk over tiles.
#include "kernels/spconv/spconv.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "base/threads.h"
#include "kernels/spconv/row.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                \
  namespace ns {                                  \
  void spconv_tile(const SpConvTile& t) noexcept; \
  }
#include "kernels/spconv/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr SpConvKernel kTable[] = {
#define PARE_KERNEL(file, ns, isa) {"spconv__" #ns, Isa::isa, ns::spconv_tile},
#include "kernels/spconv/kernels.inc"
#undef PARE_KERNEL
};

template <std::size_t... I>
constexpr std::array<const SpConvKernel*, sizeof...(I)> pointers(std::index_sequence<I...>) {
  return {&kTable[I]...};
}
constexpr auto kRows = pointers(std::make_index_sequence<std::size(kTable)>{});

/// Where one output pixel reads, for each tap; padding where that is outside.
void find_taps(const SpConvWeights::Packed& w, const ConvShape& s, const std::uint8_t* image, std::int64_t oy,
               std::int64_t ox, const std::uint8_t** at) noexcept {
  std::int64_t y = oy * s.stride_h - s.pad_top;
  for (std::int64_t ky = 0; ky < s.kh; ++ky, y += s.dilation_h) {
    const std::uint8_t* row = y >= 0 && y < s.in_h ? image + y * s.in_w * s.in_c : nullptr;
    std::int64_t x = ox * s.stride_w - s.pad_left;
    for (std::int64_t kx = 0; kx < s.kw; ++kx, x += s.dilation_w, at += kSpConvPixels)
      *at = row && x >= 0 && x < s.in_w ? row + x * s.in_c : w.padding.data();
  }
}

/// Of pixels [pixel, pixel + count).
void find_inputs(const SpConvWeights::Packed& w, const ConvShape& s, const std::uint8_t* input, std::int64_t pixel,
                 int count, const std::uint8_t** at) noexcept {
  const std::int64_t image_bytes = s.in_h * s.in_w * s.in_c;
  std::int64_t n = pixel / (s.out_h * s.out_w), oy = pixel / s.out_w % s.out_h, ox = pixel % s.out_w;
  for (int p = 0; p < count; ++p) {
    find_taps(w, s, input + n * image_bytes, oy, ox, at + p);
    if (++ox < s.out_w) continue;
    ox = 0;
    if (++oy < s.out_h) continue;
    oy = 0;
    ++n;
  }
}

/// Pixels a tile: the fewest tiles, as even as they come.
std::int64_t tile_pixels(std::int64_t pixels) noexcept {
  const std::int64_t tiles = (pixels + kSpConvPixels - 1) / kSpConvPixels;
  return (pixels + tiles - 1) / tiles;
}

struct Part {
  std::int64_t tile_begin, tile_end, block_begin, block_end;
};

void run_part(const SpConvWeights::Packed& w, const ConvShape& s, const void* input, const QConvEpilogue& epilogue,
              void* output, const Part& part, const std::uint8_t** at) noexcept {
  const std::int64_t pixels = s.pixels(), step = tile_pixels(pixels), per_block = s.taps() * w.groups;
  SpConvTile tile{};
  tile.inputs = at;
  tile.taps = s.taps(), tile.groups = w.groups;
  tile.tail = static_cast<int>(s.in_c - (w.groups - 1) * kSpConvGroup);
  tile.input_signed = w.common.input_signed;
  for (std::int64_t t = part.tile_begin; t < part.tile_end; ++t) {
    tile.pixels = static_cast<int>(std::min(step, pixels - t * step));
    find_inputs(w, s, static_cast<const std::uint8_t*>(input), t * step, tile.pixels, at);
    for (std::int64_t block = part.block_begin; block < part.block_end; ++block) {
      const std::int64_t channel = block * kSpConvChannels;
      tile.slots = w.slots.data() + block * per_block;
      tile.data = w.data.data() + w.first[block];
      tile.channels = static_cast<int>(std::min<std::int64_t>(kSpConvChannels, s.out_c - channel));
      tile.finish = qconv_finish_at(w.common, epilogue, t * step, channel, output);
      w.kernel->tile(tile);
    }
  }
}

std::size_t pointers_bytes(const SpConvWeights::Packed& w) noexcept {
  return static_cast<std::size_t>(w.common.shape.taps() * kSpConvPixels) * sizeof(const std::uint8_t*);
}

}  // namespace

SpConvWeights::SpConvWeights() = default;
SpConvWeights::~SpConvWeights() = default;
SpConvWeights::SpConvWeights(SpConvWeights&&) noexcept = default;
SpConvWeights& SpConvWeights::operator=(SpConvWeights&&) noexcept = default;

std::size_t spconv_scratch_bytes(const SpConvWeights& weights, int threads) noexcept {
  return pointers_bytes(weights.packed()) * static_cast<std::size_t>(std::max(threads, 1)) + alignof(void*);
}

void spconv(const SpConvWeights& weights, const ConvShape& shape, const void* input, const QConvEpilogue& epilogue,
            void* output, void* scratch, int threads) noexcept {
  const SpConvWeights::Packed& w = weights.packed();
  const std::int64_t parts = std::max(threads, 1), step = tile_pixels(shape.pixels()),
                     tiles = (shape.pixels() + step - 1) / step;
  const bool by_channels = tiles < 4 * parts && w.blocks >= parts;  // too few tiles to share out evenly
  auto* pointers = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(scratch) + alignof(void*) - 1) /
                                                alignof(void*) * alignof(void*));
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t units = by_channels ? w.blocks : tiles, from = units * i / parts, to = units * (i + 1) / parts;
      const Part part = by_channels ? Part{0, tiles, from, to} : Part{from, to, 0, w.blocks};
      run_part(w, shape, input, epilogue, output, part,
               reinterpret_cast<const std::uint8_t**>(pointers + i * static_cast<std::int64_t>(pointers_bytes(w))));
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
