// Convolution and matrix product of bfloat16 inputs and weights with f32 sums, NHWC; what follows
// (kernels/float_epilogue.h) is f32 and rounded once.
//
// Numbers too small to be normal are 0 as inputs, weights and sums, as the instructions have it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "kernels/float_epilogue.h"
#include "kernels/kernel.h"
#include "kernels/packed.h"
#include "kernels/table.h"

namespace pare::kernels {

struct Bf16Kernel;
struct Bf16Packed;

/// The shape may be run so: what a line of the kernel reads is a whole number of pairs, or more than 64 bytes.
bool bf16_fits(const ConvShape& shape) noexcept;

/// Weights by panels; immutable.
class Bf16Weights : public PackedHandle<Bf16Packed> {
 public:
  using PackedHandle::PackedHandle;

  /// filter element (o, i, y, x) by `strides`, rounded to even; bias [out_c] or nullptr; `shape` must fit, and its batch
  /// and spatial sizes may differ in each call. Packs for `kernel`, or the best available row. Throws Error(kMemory),
  /// Error(kUsage) for an unusable PARE_FORCE_ISA.
  static Bf16Weights pack(const ConvShape& shape, const float* filter, const FilterStrides& strides, const float* bias,
                          const Bf16Kernel* kernel = nullptr);

  /// As kernels/packed.h says. A view is for the best available row.
  static std::string packing_key(const ConvShape& shape, const FilterStrides& strides, const float* bias);
  void write(PackedWriter& writer) const;
  static std::optional<Bf16Weights> view(const ConvShape& shape, PackedReader& reader);

  const char* kernel_name() const noexcept;  ///< "conv_bf16__amx", …
  std::size_t bytes() const noexcept;
};

std::size_t conv_bf16_scratch_bytes(const Bf16Weights& weights, const ConvShape& shape, int threads) noexcept;

/// in [batch, in_h, in_w, in_c] bfloat16, out [batch, out_h, out_w, out_c] of epilogue.output_type. Sums differ from exact
/// ones by f32 rounding only. The same bits for every number of threads.
void conv_bf16(const Bf16Weights& weights, const ConvShape& shape, const void* in, const FloatEpilogue& epilogue,
               void* out, void* scratch, int threads) noexcept;

/// All rows in order of priority, the reference last.
std::span<const Bf16Kernel* const> conv_bf16_kernels() noexcept;
const char* conv_bf16_kernel_name(const Bf16Kernel& kernel) noexcept;
Isa conv_bf16_kernel_isa(const Bf16Kernel& kernel) noexcept;

}  // namespace pare::kernels
