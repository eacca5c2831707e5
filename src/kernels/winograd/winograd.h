// f32 convolution 3x3, stride 1, dilation 1, groups 1, NHWC, by fewer multiplications: Winograd's minimal filtering
// F(m x m, 3 x 3), Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016 (arXiv:1509.09308). A
// tile of 4 x 4 outputs takes 36 multiplications a pair of channels instead of 144, one of 2 x 2 takes 16 instead
// of 36.
//
// Tiles go in blocks that stay in the L2 cache: inputs are transformed, multiplied with a panel of output channels at
// each position of the transformed domain, and what comes out is transformed back, finished and written. Where there
// are few tiles, threads share them and split the panels instead.
//
// A value that is not finite makes all outputs of the tiles that read it NaN or infinite.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "kernels/conv/conv.h"
#include "kernels/packed.h"
#include "kernels/table.h"

namespace pare::kernels {

struct WinogradKernel;
struct WinogradPacked;

enum class WinogradTile { k4x4 = 4, k2x2 = 2 };

/// The shape may be run so.
bool winograd_fits(const ConvShape& shape) noexcept;

/// Transformed weights; immutable.
class WinogradWeights : public PackedHandle<WinogradPacked> {
 public:
  using PackedHandle::PackedHandle;

  /// filter element (o, i, y, x) by `strides`; bias [out_c] or nullptr; `shape` must fit and gives all but batch and
  /// the spatial sizes. Transformed in f64. Packs for `kernel`, or the best available row. Throws Error(kMemory),
  /// Error(kUsage) for an unusable PARE_FORCE_ISA.
  static WinogradWeights pack(const ConvShape& shape, WinogradTile tile, const float* filter,
                              const FilterStrides& strides, const float* bias, const WinogradKernel* kernel = nullptr);

  /// As kernels/packed.h says; not offered to files, where they would take four times (2x2: 1.8 times) the weights'
  /// bytes for what a few milliseconds make again.
  static std::string packing_key(const ConvShape& shape, WinogradTile tile, const FilterStrides& strides,
                                 const float* bias);

  const char* kernel_name() const noexcept;  ///< "winograd4x4_f32__avx512", …
  std::size_t bytes() const noexcept;
};

/// Bytes of scratch for at most `threads` threads.
std::size_t winograd_scratch_bytes(const WinogradWeights& weights, const ConvShape& shape, int threads) noexcept;

/// in [batch, in_h, in_w, in_c], out [batch, out_h, out_w, out_c]. Within 2e-6 (4x4) or 5e-7 (2x2) of conv() relative
/// to max |x| · max over outputs of Σ|w|. The same bits for every number of threads.
void winograd(const WinogradWeights& weights, const ConvShape& shape, const float* in, const ConvEpilogue& epilogue,
              float* out, void* scratch, int threads) noexcept;

/// All rows in order of priority, the reference last.
std::span<const WinogradKernel* const> winograd_kernels() noexcept;
const char* winograd_kernel_name(const WinogradKernel& kernel, WinogradTile tile) noexcept;
Isa winograd_kernel_isa(const WinogradKernel& kernel) noexcept;

}  // namespace pare::kernels
