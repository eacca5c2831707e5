// The table of convolutions by bits, and the walk over tiles.
#include "kernels/bitconv/bitconv.h"

#include <algorithm>
#include <functional>

#include "base/threads.h"
#include "kernels/bitconv/row.h"
#include "kernels/taps.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                 \
  namespace ns {                                   \
  void bitconv_encode(const BitEncode&) noexcept;  \
  void bitconv_tile(const BitTile&) noexcept;      \
  }
#include "kernels/bitconv/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr BitConvKernel kTable[] = {
#define PARE_KERNEL(file, ns, isa) {"bitconv__" #ns, Isa::isa, ns::bitconv_encode, ns::bitconv_tile},
#include "kernels/bitconv/kernels.inc"
#undef PARE_KERNEL
};
constexpr auto kRows = rows_of(kTable);

std::int64_t input_pixels(const ConvShape& s) noexcept { return s.batch * s.in_h * s.in_w; }

/// Words of all input pixels, then each thread's pointers.
struct Scratch {
  std::uint32_t* words;
  std::byte* taps;
  std::size_t each;  ///< bytes of a thread's pointers
  std::size_t bytes;

  Scratch(const BitConvPacked& w, const ConvShape& s, int threads, void* base) {
    const std::size_t start = apart(reinterpret_cast<std::uintptr_t>(base)),
                      pixels = apart(static_cast<std::size_t>(input_pixels(s) * w.words()) * sizeof(std::uint32_t));
    words = reinterpret_cast<std::uint32_t*>(start);
    taps = reinterpret_cast<std::byte*>(start + pixels);
    each = apart(static_cast<std::size_t>(s.taps() * kBitPixels) * sizeof(std::byte*));
    bytes = kApart + pixels + static_cast<std::size_t>(std::max(threads, 1)) * each;
  }
};

void encode_all(const BitConvPacked& w, const ConvShape& s, const void* input, std::uint32_t* words) noexcept {
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p)
      w.kernel->encode({static_cast<const std::uint8_t*>(input) + p * s.in_c, s.in_c,
                        static_cast<std::uint8_t>(w.inputs.lowest), w.inputs.bits, words + p * w.words()});
  };
  parallel_for(input_pixels(s), std::max<std::int64_t>(1, 65536 / s.in_c), std::ref(body));
}

struct Part {
  std::int64_t tile_begin, tile_end, block_begin, block_end;
};

void run_part(const BitConvPacked& w, const ConvShape& s, const std::uint32_t* words, const QConvEpilogue& epilogue,
              void* output, const Part& part, const std::byte** taps) noexcept {
  alignas(64) std::int32_t sums[kBitPixels * kBitChannels];
  const std::int64_t pixels = s.pixels();
  BitTile tile{};
  tile.inputs = reinterpret_cast<const std::uint32_t* const*>(taps);
  tile.taps = s.taps(), tile.groups = w.groups;
  tile.bits = w.inputs.bits, tile.binary = w.binary;
  tile.sums = sums;
  for (std::int64_t t = part.tile_begin; t < part.tile_end; ++t) {
    tile.pixels = static_cast<int>(std::min<std::int64_t>(kBitPixels, pixels - t * kBitPixels));
    find_taps(s, words, w.words() * static_cast<std::int64_t>(sizeof(std::uint32_t)), w.padding.data(), t * kBitPixels,
              tile.pixels, kBitPixels, taps);
    for (std::int64_t block = part.block_begin; block < part.block_end; ++block) {
      tile.masks = w.masks.data() + block * w.block_words();
      w.kernel->tile(tile);
      const std::int64_t channel = block * kBitChannels;
      qconv_finish_block(w.kernel->isa, qconv_finish_at(w.common, epilogue, t * kBitPixels, channel, output), tile.pixels,
                         static_cast<int>(std::min<std::int64_t>(kBitChannels, s.out_c - channel)), sums);
    }
  }
}

}  // namespace

std::size_t bitconv_scratch_bytes(const BitConvWeights& weights, const ConvShape& shape, int threads) noexcept {
  return Scratch(weights.packed(), shape, threads, nullptr).bytes;
}

void bitconv(const BitConvWeights& weights, const ConvShape& shape, const void* input, const QConvEpilogue& epilogue,
             void* output, void* scratch, int threads) noexcept {
  const BitConvPacked& w = weights.packed();
  const Scratch s(w, shape, threads, scratch);
  encode_all(w, shape, input, s.words);
  const std::int64_t parts = std::max(threads, 1), tiles = (shape.pixels() + kBitPixels - 1) / kBitPixels;
  const bool by_channels = tiles < 4 * parts && w.blocks >= parts;  // too few tiles to share out evenly
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t units = by_channels ? w.blocks : tiles, from = units * i / parts, to = units * (i + 1) / parts;
      const Part part = by_channels ? Part{0, tiles, from, to} : Part{from, to, 0, w.blocks};
      run_part(w, shape, s.words, epilogue, output, part,
               reinterpret_cast<const std::byte**>(s.taps + static_cast<std::size_t>(i) * s.each));
    }
  };
  if (parts == 1)
    body(0, 1);
  else
    parallel_for(parts, 1, std::ref(body));
}

std::span<const BitConvKernel* const> bitconv_kernels() noexcept { return kRows; }
const char* bitconv_kernel_name(const BitConvKernel& kernel) noexcept { return kernel.name; }
Isa bitconv_kernel_isa(const BitConvKernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
