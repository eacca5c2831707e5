// f32 convolution and matrix product with sparse weights, NHWC: any zeros, none is multiplied. By panels of pixels
// (kernels/sppanel). groups == 1. Between two of them a value may stay in panels: then nothing is transposed.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "kernels/conv/conv.h"
#include "kernels/packed.h"
#include "kernels/sppanel/values.h"
#include "kernels/table.h"

namespace pare::kernels {

struct SpConvF32Kernel;
struct SpConvF32Packed;

/// Packed sparse weights; immutable.
class SpConvF32Weights : public PackedHandle<SpConvF32Packed> {
 public:
  using PackedHandle::PackedHandle;

  /// filter element (o, i, y, x) by `strides`; bias [out_c] or nullptr; `shape` gives all but batch and the spatial
  /// sizes, groups == 1. Packs for `kernel`, or the best available row. Throws Error(kMemory), Error(kUsage) for an
  /// unusable PARE_FORCE_ISA.
  static SpConvF32Weights pack(const ConvShape& shape, const float* filter, const FilterStrides& strides,
                               const float* bias, const SpConvF32Kernel* kernel = nullptr);

  /// As kernels/packed.h says.
  static std::string packing_key(const ConvShape& shape, const FilterStrides& strides, const float* bias);
  static std::optional<SpConvF32Weights> view(const ConvShape& shape, PackedReader& reader);
  void write(PackedWriter& writer) const;

  const char* kernel_name() const noexcept;  ///< "spconv_f32__avx512", …
  std::size_t bytes() const noexcept;
  /// Multiply-adds done as a share of the dense ones; what fills up a pair of channels counts.
  double density() const noexcept;
};

/// Bytes of scratch for at most `threads` threads.
std::size_t spconv_f32_scratch_bytes(const SpConvF32Weights& weights, int threads) noexcept;

/// An output in panels goes with an addend in panels, also where nothing is added, and both with an even out_c.
bool spconv_f32_takes(const ConvShape& shape, const PanelValues& panels) noexcept;

/// in [batch, in_h, in_w, in_c], out [batch, out_h, out_w, out_c], or in panels where spconv_f32_takes() them so.
/// Within 1e-5 of conv() relative to Σ|x·w|.
void spconv_f32(const SpConvF32Weights& weights, const ConvShape& shape, const float* in, const ConvEpilogue& epilogue,
                float* out, void* scratch, int threads, const PanelValues& panels = {}) noexcept;

/// All rows in order of priority, the reference last.
std::span<const SpConvF32Kernel* const> spconv_f32_kernels() noexcept;
const char* spconv_f32_kernel_name(const SpConvF32Kernel& kernel) noexcept;
Isa spconv_f32_kernel_isa(const SpConvF32Kernel& kernel) noexcept;

}  // namespace pare::kernels
