// How a call in bfloat16 is cut into tiles of rows, parts of K and panels.
#include <algorithm>

#include "base/cpu.h"
#include "kernels/nbits/parts.h"

namespace pare::kernels {
namespace {

constexpr std::int64_t kTileHeight = 16, kChunk = 32, kChunkBytes = 2 * kChunk;
constexpr std::int64_t kLeastCache = 1024 * 1024;  ///< bytes, where the CPU does not say how large L2 is

/// How the rows of a bfloat16 call are cut: tiles of about equal height, some of which are multiplied at a time by all
/// of the weights, and of these a part of K at a time, so that what is multiplied stays in half of the L2 cache.
struct TileCut {
  std::int64_t tiles, height, chunks;  ///< chunks: of 32 k
  std::int64_t group, slab;            ///< tiles, and chunks, at a time

  TileCut(const NBitsMatrix::Packed& p, std::int64_t m)
      : tiles((m + kTileHeight - 1) / kTileHeight),
        height((m + tiles - 1) / tiles),
        chunks((p.padded_k() + kChunk - 1) / kChunk) {
    const std::int64_t groups = std::max<std::int64_t>(1, tiles / (kNBitsMostTiles / 2));
    group = rounded((tiles + groups - 1) / groups, 2);
    const std::int64_t room = std::max(cpu_info().l2, kLeastCache) / 2 / (kChunkBytes * height * group);
    constexpr std::int64_t kStrip = kNBitsTileDepth / kChunk;
    slab = std::max<std::int64_t>(1, room / kStrip) * kStrip;
  }
  /// Numbers of a tile.
  std::int64_t tile_size() const { return chunks * height * kChunk; }
  std::int64_t bytes() const { return rounded(2 * tiles * tile_size(), 64); }
};

/// A call in bfloat16: each thread has panels of its own.
class Product {
 public:
  Product(const NBitsMatrix::Packed& p, std::int64_t m, const float* bias, float* y, std::uint16_t* rows)
      : p_(p), m_(m), bias_(bias), y_(y), rows_(rows), cut_(p, m) {}

  void prepare(const float* a, std::int64_t tile) const noexcept {
    const std::int64_t row = tile * cut_.height, rows = std::clamp<std::int64_t>(m_ - row, 0, cut_.height);
    p_.kernel->to_tile({a + row * p_.shape.k, rows, p_.shape.k, cut_.height, rows_ + tile * cut_.tile_size()});
  }

  /// Pairs of panels.
  void run(std::int64_t begin, std::int64_t end, std::byte* strip) const noexcept {
    for (std::int64_t tile = 0; tile < cut_.tiles; tile += cut_.group)
      for (std::int64_t chunk = 0; chunk < cut_.chunks; chunk += cut_.slab)
        for (std::int64_t unit = begin; unit < end; ++unit) run(tile, chunk, unit, strip);
  }

 private:
  void run(std::int64_t tile, std::int64_t chunk, std::int64_t unit, std::byte* strip) const noexcept {
    NBitsTiles call{};
    set_panels(p_, 2 * unit, bias_, call);
    const std::int64_t row = tile * cut_.height;
    call.height = cut_.height;
    call.rows = std::min(cut_.group * cut_.height, m_ - row);
    call.a = rows_ + tile * cut_.tile_size();
    call.chunks = cut_.chunks;
    call.first = chunk, call.last = std::min(chunk + cut_.slab, cut_.chunks);
    call.y_stride = p_.shape.n;
    call.y = y_ + row * call.y_stride + 2 * unit * kNBitsLanes;
    call.decode = p_.kernel->decode;
    call.scratch = strip;
    p_.kernel->tiles(call);
  }

  const NBitsMatrix::Packed& p_;
  std::int64_t m_;
  const float* bias_;
  float* y_;
  std::uint16_t* rows_;  ///< NBitsTiles::a
  TileCut cut_;
};

}  // namespace

std::size_t nbits_bf16_scratch_bytes(const NBitsMatrix::Packed& p, std::int64_t m, int threads) noexcept {
  const TileCut cut(p, m);
  return static_cast<std::size_t>(cut.bytes() + kNBitsStripBytes * std::max(threads, 1));
}

void nbits_bf16_matmul(const NBitsMatrix::Packed& p, std::int64_t m, const float* a, const float* bias, float* y,
                       void* scratch, int threads) noexcept {
  const TileCut cut(p, m);
  std::byte* strips = static_cast<std::byte*>(scratch) + cut.bytes();
  const Product product(p, m, bias, y, static_cast<std::uint16_t*>(scratch));
  for_parts(cut.tiles, threads, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t tile = begin; tile < end; ++tile) product.prepare(a, tile);
  });
  for_parts((p.panels + 1) / 2, threads, [&](std::int64_t begin, std::int64_t end, int part) {
    product.run(begin, end, strips + part * kNBitsStripBytes);
  });
}

}  // namespace pare::kernels
