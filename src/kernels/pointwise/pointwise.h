// f32 product of pixels by constant weights: convolution 1x1 of stride 1 and groups 1, NHWC, and matrix product.
//
// Rows of pixels and a panel of output channels are multiplied over all input channels with the sums in registers, so
// that nothing but outputs is written. Panels go by chunks of pixels that stay in the L2 cache, and while one panel is
// multiplied the next is fetched, evenly over the time that the chunk takes: with few pixels (7x7, or 128 tokens)
// memory is what limits a product. Where there are few rows, threads split the panels instead.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "kernels/conv/conv.h"
#include "kernels/float_epilogue.h"
#include "kernels/packed.h"
#include "kernels/pointwise/block.h"
#include "kernels/table.h"

namespace pare::kernels {

struct PointwiseKernel;
struct PointwisePacked;

/// The shape may be run so.
bool pointwise_fits(const ConvShape& shape) noexcept;

/// The shape may be run so once gather_pixels() has put the pixels that it reads side by side: 1x1 of a larger stride.
bool pointwise_fits_gathered(const ConvShape& shape) noexcept;
/// in [batch, in_h, in_w, in_c] → out [pixels, in_c].
void gather_pixels(const ConvShape& shape, const float* in, float* out) noexcept;

struct PointwiseEpilogue : ConvEpilogue {
  UnaryOp activation = UnaryOp::kIdentity;  ///< of what was added to and clamped; one that is_fused()
};

/// Weights by panels; immutable.
class PointwiseWeights : public PackedHandle<PointwisePacked> {
 public:
  using PackedHandle::PackedHandle;

  /// filter element (o, i) by `strides`; bias [out_c] or nullptr; `shape` must fit and gives the channels. Packs for
  /// `kernel`, or the best available row. Throws Error(kMemory), Error(kUsage) for an unusable PARE_FORCE_ISA.
  static PointwiseWeights pack(const ConvShape& shape, const float* filter, const FilterStrides& strides,
                               const float* bias, const PointwiseKernel* kernel = nullptr);

  /// As kernels/packed.h says. A view is for the best available row.
  static std::string packing_key(const ConvShape& shape, const FilterStrides& strides, const float* bias);
  void write(PackedWriter& writer) const;
  static std::optional<PointwiseWeights> view(const ConvShape& shape, PackedReader& reader);

  const char* kernel_name() const noexcept;  ///< "pointwise_f32__avx512", …
  std::size_t bytes() const noexcept;
};

/// in [pixels, in_c], out [pixels, out_c]. Within 1e-6 · √in_c of conv() relative to max |x| · max over outputs of
/// Σ|w|. The same bits for every number of threads.
void pointwise(const PointwiseWeights& weights, const ConvShape& shape, const float* in,
               const PointwiseEpilogue& epilogue, float* out, int threads) noexcept;

/// All rows in order of priority, the reference last.
std::span<const PointwiseKernel* const> pointwise_kernels() noexcept;
const char* pointwise_kernel_name(const PointwiseKernel& kernel) noexcept;
Isa pointwise_kernel_isa(const PointwiseKernel& kernel) noexcept;

}  // namespace pare::kernels
