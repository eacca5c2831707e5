// f32 depthwise convolution (groups == in_c == out_c) of 3x3 or 5x5, stride 1 or 2, NHWC: up to eight neighbouring
// outputs at a time, so that an input is loaded once for all taps of a row that read it, and a weight once for all
// outputs.
//
// Channels go in chunks whose rows stay in L1. Threads share the rows of the image, or the channels where that is more
// even.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "kernels/conv/conv.h"
#include "kernels/fused_activation.h"
#include "kernels/table.h"

namespace pare::kernels {

struct DepthwiseStripKernel;
struct DepthwiseStripPacked;

/// The shape may be run so.
bool depthwise_strip_fits(const ConvShape& shape) noexcept;

/// Weights by taps; immutable.
class DepthwiseStripWeights : public PackedHandle<DepthwiseStripPacked> {
 public:
  using PackedHandle::PackedHandle;

  /// filter element (o, 0, y, x) by `strides`; bias [out_c] or nullptr; `shape` must fit and gives channels and taps.
  /// Packs for `kernel`, or the best available row. Throws Error(kMemory), Error(kUsage) for an unusable
  /// PARE_FORCE_ISA.
  static DepthwiseStripWeights pack(const ConvShape& shape, const float* filter, const FilterStrides& strides,
                                    const float* bias, const DepthwiseStripKernel* kernel = nullptr);

  /// As kernels/packed.h says; not offered to files, where reading them would take longer than packing.
  static std::string packing_key(const ConvShape& shape, const FilterStrides& strides, const float* bias);

  const char* kernel_name() const noexcept;  ///< "depthwise_strip_f32__avx512", …
  std::size_t bytes() const noexcept;
};

/// in [batch, in_h, in_w, channels], out [batch, out_h, out_w, channels]. Within 1e-6 · √taps of conv() relative to
/// Σ|x·w|. The same bits for every number of threads.
void depthwise_strip(const DepthwiseStripWeights& weights, const ConvShape& shape, const float* in,
                     const ConvEpilogue& epilogue, FusedActivation activation, float* out, int threads) noexcept;

/// All rows in order of priority, the reference last.
std::span<const DepthwiseStripKernel* const> depthwise_strip_kernels() noexcept;
Isa depthwise_strip_kernel_isa(const DepthwiseStripKernel& kernel) noexcept;

}  // namespace pare::kernels
