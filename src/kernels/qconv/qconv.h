// Integer convolution and matrix product, NHWC, u8 or s8 activations × 8-bit weights, exact int32 accumulation, fused
// bias, residual, clamp and requantization.
//
//   acc[p,c] = bias[c] + Σ (x − in_zp) · (w − w_zp[c])            int32, exact; padding contributes x = in_zp
//   v        = float(acc) · multiplier[c]
//   v        = rint(min(max(v, first.lo), first.hi)) · first.multiplier          (where the sum is quantized first)
//   v        = v + float(r − residual_zp) · residual_multiplier    (quantized residual), or v + r · residual_multiplier
//   (f32) v        = min(max(v, lo), hi) f32 out: v        u8/s8 out: saturate(rint(v) + out_zp), half to even
//
// Every step is one IEEE f32 operation in this order, no fused multiply-add: all rows agree bit for bit.
// Units: v is in *output units*, that is real value / out_scale (out_scale = 1 for f32 output), so
//   multiplier[c] = in_scale · w_scale[c] / out_scale,  residual_multiplier = residual_scale / out_scale,  lo = real_lo
//   / out_scale.
// A sum that is quantized to its own scale before the residual is added (Conv → Q → DQ → Add → Q) has multiplier[c] in
// units of that scale, first.multiplier = own_scale / out_scale, and first.lo, first.hi its type's range less its zero
// point.
// ONNX's DequantizeLinear → Conv → QuantizeLinear differs from this by rounding only (at most 1 in the last place).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "kernels/kernel.h"
#include "kernels/packed.h"

namespace pare::kernels {

struct QConvFilter {
  const void* data = nullptr;
  bool is_unsigned = false;  ///< u8 weights; s8 otherwise
  FilterStrides strides;
  const std::int32_t* zero_point = nullptr;  ///< per output channel, in the weights' own type; nullptr: 0
};

/// How a sum is quantized before a residual is added to it.
struct QConvFirst {
  float multiplier = 0;  ///< 0: it is not
  float lo = 0, hi = 0;
};

struct QConvEpilogue {
  const float* multiplier = nullptr;        ///< [out_c], output units (above)
  QConvFirst first;
  DType residual_type = DType::kUndefined;  ///< kUndefined (none), kUint8, kInt8 or kFloat32
  const void* residual = nullptr;  ///< [pixels, out_c]; may be the output buffer itself when the element sizes match
  bool residual_shared = false;    ///< it is [out_c], one for all pixels; qconv() alone takes that
  float residual_multiplier = 1.0f;
  std::int32_t residual_zero_point = 0;
  float lo = -kInfinity, hi = kInfinity;  ///< activation clamp, output units, before out_zero_point
  DType output_type = DType::kUint8;      ///< kUint8, kInt8 or kFloat32
  std::int32_t out_zero_point = 0;
};

/// No result reaches 2^31 in output units, of which a conversion to integers would make its lowest number: saturating
/// conversions then do what a clamp before rounding does.
bool qconv_bounded(const QConvEpilogue& epilogue, std::int64_t channels) noexcept;

struct QConvKernel;  // a row of the table: kernels/qconv/row.h

/// Weights of one convolution packed for one row; owns its buffer, immutable, shareable between threads.
class QConvWeights {
 public:
  QConvWeights();
  ~QConvWeights();
  QConvWeights(QConvWeights&&) noexcept;
  QConvWeights& operator=(QConvWeights&&) noexcept;

  /// Packs for `kernel`, or the best available row. `shape` gives all but batch and the spatial sizes, which may differ
  /// in each call. `input_type` is kUint8 or kInt8 (s8 x is handled as u8 x + 128 with zero point + 128); `bias` is
  /// [out_c] int32 at scale in_scale · w_scale[c], or nullptr. Throws Error(kMemory), Error(kUsage) for an unusable
  /// PARE_FORCE_ISA.
  static QConvWeights pack(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                           std::int32_t input_zero_point, const std::int32_t* bias,
                           const QConvKernel* kernel = nullptr);

  /// What pack() would make of these arguments on this machine, as kernels/packed.h says; `filter.data` is not read.
  static std::string packing_key(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                                 std::int32_t input_zero_point, const std::int32_t* bias);
  /// The weights of such arguments from what write() wrote; nullopt when it does not fit.
  static std::optional<QConvWeights> view(const ConvShape& shape, DType input_type, std::int32_t input_zero_point,
                                          PackedReader& reader);
  void write(PackedWriter& writer) const;

  const char* kernel_name() const noexcept;  ///< "qconv__avx2_6x16", …
  std::size_t bytes() const noexcept;        ///< of the packed buffers

  struct Packed;
  const Packed& packed() const noexcept { return *packed_; }

 private:
  std::unique_ptr<Packed> packed_;
};

/// Bytes of scratch that qconv needs for at most `threads` threads.
std::size_t qconv_scratch_bytes(const QConvWeights& weights, const ConvShape& shape, int threads) noexcept;

/// input: [batch, in_h, in_w, in_c] of the packed input type; output: [batch, out_h, out_w, out_c] of
/// epilogue.output_type. Work is cut into at most `threads` parts over pixels, or channels when pixels are few.
void qconv(const QConvWeights& weights, const ConvShape& shape, const void* input, const QConvEpilogue& epilogue,
           void* output, void* scratch, int threads) noexcept;

/// All rows in order of priority, the reference last; for tests and benches.
std::span<const QConvKernel* const> qconv_kernels() noexcept;
const char* qconv_kernel_name(const QConvKernel& kernel) noexcept;
Isa qconv_kernel_isa(const QConvKernel& kernel) noexcept;

}  // namespace pare::kernels
