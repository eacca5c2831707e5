// Integer convolution and matrix product with sparse weights, NHWC: arithmetic and epilogue exactly as
// kernels/qconv/qconv.h, so it gives the same bits as a dense convolution with the zeros in place.
//
// For 16 output channels and a window of 64 inputs the weights that are left are laid out in slots: four a channel, each
// with the index of its input within the window. A kernel picks the inputs with one byte permutation a slot and pixel and
// multiplies and adds four of them at once; indices and weights are read once for up to 14 pixels. A group of q:64
// balanced weights takes q / 4 slots for all 16 channels. Other zeros leave channels unequally full: windows begin where
// the fullest of 16 has its next weight (windows.h), and of 64 channels those of about equally many weights go together.
// groups == 1; weights s8 without zero points.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "kernels/qconv/qconv.h"
#include "kernels/table.h"

namespace pare::kernels {

struct SpConvKernel;
struct SpConvPacked;

/// Packed sparse weights; immutable.
class SpConvWeights : public PackedHandle<SpConvPacked> {
 public:
  using PackedHandle::PackedHandle;

  /// As QConvWeights::pack; requires takes().
  static SpConvWeights pack(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                            std::int32_t input_zero_point, const std::int32_t* bias,
                            const SpConvKernel* kernel = nullptr);
  /// groups == 1, s8 weights, no zero points, and no line of taps side by side (windows.h) of more than 65535 inputs.
  static bool takes(const ConvShape& shape, const QConvFilter& filter) noexcept;

  /// As QConvWeights has them (kernels/packed.h).
  static std::string packing_key(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                                 std::int32_t input_zero_point, const std::int32_t* bias);
  static std::optional<SpConvWeights> view(const ConvShape& shape, DType input_type, std::int32_t input_zero_point,
                                PackedReader& reader);
  void write(PackedWriter& writer) const;

  const char* kernel_name() const noexcept;  ///< "spconv__avx512vnni_vbmi", …
  std::size_t bytes() const noexcept;
  /// Multiply-adds done as a share of the dense ones, slots that are not full counted as full.
  double density() const noexcept;
};

/// Slots that packed weights would have, by an estimate; loading a window counts as a part of one. Requires takes().
double spconv_slots(const ConvShape& shape, const QConvFilter& filter);

/// Bytes of scratch for at most `threads` threads.
std::size_t spconv_scratch_bytes(const SpConvWeights& weights, const ConvShape& shape, int threads) noexcept;

/// Arguments as qconv.
void spconv(const SpConvWeights& weights, const ConvShape& shape, const void* input, const QConvEpilogue& epilogue,
            void* output, void* scratch, int threads) noexcept;

/// All rows in order of priority, the reference last.
std::span<const SpConvKernel* const> spconv_kernels() noexcept;
const char* spconv_kernel_name(const SpConvKernel& kernel) noexcept;
Isa spconv_kernel_isa(const SpConvKernel& kernel) noexcept;

}  // namespace pare::kernels
