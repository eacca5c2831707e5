// Depthwise convolution (groups == in_c == out_c), NHWC: float32 inputs, or bfloat16 ones with weights rounded likewise,
// and f32 sums.
//
// Some channels of a strip of seven outputs side by side are summed in registers, so that an input is read once for all
// the taps of a line that it meets. What lies outside the image is read from a pixel of zeros.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "kernels/conv/conv.h"
#include "kernels/float_epilogue.h"
#include "kernels/packed.h"
#include "kernels/table.h"

namespace pare::kernels {

struct DepthwiseKernel;
struct DepthwisePacked;

/// groups == in_c == out_c > 1, and at most kDepthwiseTaps taps.
bool depthwise_fits(const ConvShape& shape) noexcept;
inline constexpr std::int64_t kDepthwiseTaps = 256;

/// A row takes inputs of this type here: kFloat32 always, kBFloat16 with AVX512-BF16.
bool depthwise_takes(DType type);

/// Weights by blocks of channels; immutable.
class DepthwiseWeights : public PackedHandle<DepthwisePacked> {
 public:
  using PackedHandle::PackedHandle;

  /// filter element (o, 0, y, x) by `strides`; bias [channels] or nullptr; `shape` must fit, and its batch and spatial sizes
  /// may differ in each call. Packs for `kernel`, or the best available row for inputs of `type`, which must be taken.
  /// Throws Error(kMemory), Error(kUsage) for an unusable PARE_FORCE_ISA.
  static DepthwiseWeights pack(const ConvShape& shape, DType type, const float* filter, const FilterStrides& strides,
                               const float* bias, const DepthwiseKernel* kernel = nullptr);

  /// As kernels/packed.h says; not offered to files, where reading them would take longer than packing.
  static std::string packing_key(const ConvShape& shape, DType type, const FilterStrides& strides, const float* bias);

  const char* kernel_name() const noexcept;  ///< "depthwise_f32__avx512", …
  std::size_t bytes() const noexcept;
};

/// in [batch, in_h, in_w, channels] of the packed type, out [batch, out_h, out_w, channels] of epilogue.output_type, which
/// is kFloat32 or the packed type. Within 1e-5 of conv() relative to Σ|x·w|. The same bits for every number of threads.
void depthwise(const DepthwiseWeights& weights, const ConvShape& shape, const void* in, const FloatEpilogue& epilogue,
               void* out, int threads) noexcept;

/// All rows in order of priority, the reference last.
std::span<const DepthwiseKernel* const> depthwise_kernels() noexcept;
const char* depthwise_kernel_name(const DepthwiseKernel& kernel) noexcept;
Isa depthwise_kernel_isa(const DepthwiseKernel& kernel) noexcept;
DType depthwise_kernel_type(const DepthwiseKernel& kernel) noexcept;

}  // namespace pare::kernels
