// Products with sparse weights by panels, shared by the families of f32 (spconv_f32) and of s8 in 1x4 blocks
// (spconv_1x4). Elements are 32 bits: one f32 channel, or four consecutive 8-bit ones.
//
// A panel of up to 64 output pixels holds what they read, in vectors of 16 pixels, [vectors][inputs][16], where inputs
// are (tap, element of a pixel). It is cut into blocks of inputs that stay in the L1 cache while all output channels
// pass: of each, one surviving weight at a time is multiplied with a row of the panel. Output channels are taken in
// pairs of about equally many weights, so that loops are predictable and the additions of two channels overlap. groups
// == 1.
//
// Input and output lie channels-last, and are transposed; or between products of this kind in panels (tile.h), where a
// 1×1 convolution multiplies the input as it lies, and sums are the output.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "kernels/kernel.h"
#include "kernels/packed.h"
#include "kernels/sppanel/tile.h"

namespace pare::kernels {

/// A row of sppanel/kernels.inc: how elements move.
struct PanelMoves {
  Isa isa;
  void (*gather)(const PanelGather&) noexcept;
  void (*shift)(const PanelShift&) noexcept;
  void (*spread)(const PanelSpread&) noexcept;
};
/// The best row up to `isa`.
const PanelMoves& panel_moves(Isa isa) noexcept;

/// Packed weights: immutable once made.
struct PanelWeights {
  std::int64_t taps = 1, elements = 0, out_c = 0;  ///< inputs = taps · elements, elements of a pixel
  std::int64_t block = 0, blocks = 0, chunks = 0;  ///< `block` inputs at a time
  std::uint32_t flip = 0;                          ///< to be applied to inputs
  std::vector<std::int64_t> first;                 ///< [blocks · chunks + 1] into `pairs`
  PackedArray<PanelPair> pairs;
  PackedArray<std::uint32_t> weights;
  PackedArray<std::uint8_t> which;
  std::vector<std::uint32_t> padding;  ///< [elements]: what lies outside the image

  std::size_t bytes() const noexcept;
  /// Weights, fillers counted, as a share of all inputs · out_c.
  double density() const noexcept;
};

/// Inputs of a block: what fills three quarters of the L1 cache, kPanelBlock at most.
std::int64_t panel_block();
/// Sets the sizes.
void describe_panels(PanelWeights& weights, std::int64_t taps, std::int64_t elements, std::int64_t out_c);
/// weight(o, tap, element) → its 32 bits; 0 where nothing is to be multiplied. Of described weights, fills in pairs.
void pack_panels(PanelWeights& weights,
                 const std::function<std::uint32_t(std::int64_t, std::int64_t, std::int64_t)>& weight);

/// Pairs and weights to a file, and viewed from it into described weights; false where they do not fit.
void write_panels(const PanelWeights& weights, PackedWriter& writer);
bool view_panels(PanelWeights& weights, PackedReader& reader);

/// Bytes of scratch for at most `threads` threads.
std::size_t panel_scratch_bytes(const PanelWeights& weights, int threads) noexcept;

/// Finished sums of pixels [pixel, pixel + pixels) and channels [begin, end): of channel c and pixel p at
/// sums[p / 16 · stride + 16 · c + p % 16], p counted from `pixel`.
struct PanelSums {
  const std::uint32_t* sums;
  std::int64_t stride;
  int pixels;
  std::int64_t pixel, begin, end;
};

/// Values have elements of 32 bits; those in panels lie as kernels/sppanel/tile.h says.
struct PanelCall {
  const PanelWeights& weights;
  const ConvShape& shape;  ///< in_c is not read
  const PanelMoves& moves;
  void (*multiply)(const PanelProduct&) noexcept;
  const std::uint32_t* in;
  bool in_panels = false;           ///< padding is zero then
  std::uint32_t* out = nullptr;     ///< sums, in panels; nullptr: in scratch, for `finish`. Not with an odd out_c
  const PanelEnds* ends = nullptr;  ///< of the whole, of f32
};

/// Runs all panels; `finish` writes what a panel gives, unless that lies in `out`. noexcept if `finish` is.
void run_panels(const PanelCall& call, void* scratch, int threads,
                const std::function<void(const PanelSums&)>& finish) noexcept;

/// Elements of a value in panels.
std::int64_t panel_elements(std::int64_t pixels, std::int64_t channels) noexcept;

}  // namespace pare::kernels
