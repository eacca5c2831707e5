// Integer convolution and matrix product with s8 weights whose zeros come in blocks of four consecutive input channels
// (pattern 1x4), NHWC, by panels of pixels (kernels/sppanel): arithmetic and epilogue exactly as kernels/qconv/qconv.h,
// so it gives the same bits as a dense convolution with the zeros in place. Any zeros are taken; a block is skipped
// where all four are zero. groups == 1, in_c a multiple of 4, weights without zero points.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "kernels/qconv/qconv.h"
#include "kernels/table.h"

namespace pare::kernels {

struct SpConv1x4Kernel;
struct SpConv1x4Packed;

/// Packed sparse weights; immutable.
class SpConv1x4Weights : public PackedHandle<SpConv1x4Packed> {
 public:
  using PackedHandle::PackedHandle;

  /// As QConvWeights::pack; requires takes().
  static SpConv1x4Weights pack(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                               std::int32_t input_zero_point, const std::int32_t* bias,
                               const SpConv1x4Kernel* kernel = nullptr);
  /// groups == 1, in_c % 4 == 0, s8 weights, no zero points.
  static bool takes(const ConvShape& shape, const QConvFilter& filter) noexcept;

  /// As QConvWeights has them (kernels/packed.h).
  static std::string packing_key(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                                 std::int32_t input_zero_point, const std::int32_t* bias);
  static std::optional<SpConv1x4Weights> view(const ConvShape& shape, DType input_type, std::int32_t input_zero_point,
                                              PackedReader& reader);
  void write(PackedWriter& writer) const;

  const char* kernel_name() const noexcept;  ///< "spconv_1x4__avx512vnni", …
  std::size_t bytes() const noexcept;
  /// Blocks multiplied as a share of all; what fills up a pair of channels counts.
  double density() const noexcept;
};

/// Bytes of scratch for at most `threads` threads.
std::size_t spconv_1x4_scratch_bytes(const SpConv1x4Weights& weights, int threads) noexcept;

/// Arguments as qconv; `input` aligned to 4 bytes.
void spconv_1x4(const SpConv1x4Weights& weights, const ConvShape& shape, const void* input,
                const QConvEpilogue& epilogue, void* output, void* scratch, int threads) noexcept;

/// All rows in order of priority, the reference last.
std::span<const SpConv1x4Kernel* const> spconv_1x4_kernels() noexcept;
const char* spconv_1x4_kernel_name(const SpConv1x4Kernel& kernel) noexcept;
Isa spconv_1x4_kernel_isa(const SpConv1x4Kernel& kernel) noexcept;

}  // namespace pare::kernels
