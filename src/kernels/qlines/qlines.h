// Integer convolution of few input channels, NHWC, as the first layer of an image network: arithmetic and epilogue
// exactly as kernels/qconv/qconv.h.
//
// What a line of the window reads lies side by side, kw · in_c bytes: four at a time are multiplied whatever pixel they
// belong to, where a product by taps fills up the channels of each. Lines are copied once, with padding around them.
// groups == 1; weights s8 without zero points.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "kernels/qconv/qconv.h"
#include "kernels/table.h"

namespace pare::kernels {

struct QLinesKernel;
struct QLinesPacked;

/// Packed weights; immutable.
class QLinesWeights : public PackedHandle<QLinesPacked> {
 public:
  using PackedHandle::PackedHandle;

  /// As QConvWeights::pack; requires takes().
  static QLinesWeights pack(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                            std::int32_t input_zero_point, const std::int32_t* bias,
                            const QLinesKernel* kernel = nullptr);
  /// Up to 4 input channels in windows wider than 1, not dilated along a line; s8 weights, no zero points.
  static bool takes(const ConvShape& shape, const QConvFilter& filter) noexcept;

  /// As QConvWeights has them (kernels/packed.h).
  static std::string packing_key(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                                 std::int32_t input_zero_point, const std::int32_t* bias);
  static std::optional<QLinesWeights> view(const ConvShape& shape, DType input_type, std::int32_t input_zero_point,
                                           PackedReader& reader);
  void write(PackedWriter& writer) const;

  const char* kernel_name() const noexcept;  ///< "qlines__avx512vnni_vbmi", …
  std::size_t bytes() const noexcept;
};

/// Bytes of scratch for at most `threads` threads.
std::size_t qlines_scratch_bytes(const QLinesWeights& weights, const ConvShape& shape, int threads) noexcept;

/// Arguments as qconv.
void qlines(const QLinesWeights& weights, const ConvShape& shape, const void* input, const QConvEpilogue& epilogue,
            void* output, void* scratch, int threads) noexcept;

/// All rows in order of priority, the reference last.
std::span<const QLinesKernel* const> qlines_kernels() noexcept;
const char* qlines_kernel_name(const QLinesKernel& kernel) noexcept;
Isa qlines_kernel_isa(const QLinesKernel& kernel) noexcept;

}  // namespace pare::kernels
