// Integer convolution and matrix product whose weights are −1, 0 or 1 and whose inputs take at most four consecutive
// values, by bits (XNOR-Net, Rastegari et al. 2016; DoReFa-Net, Zhou et al. 2016, equation 4), NHWC: arithmetic and
// epilogue exactly as kernels/qconv/qconv.h, so it gives the same bits as a dense convolution of the same integers.
//
// An input is x = lowest + u; u's bits of 32 channels are a word, one for each of its one or two planes. A weight is a bit
// of a mask of ones and, where there are zeros, one of a mask of minus ones:
//
//   Σ u·w = Σ_j 2^j (popcount(u_j & ones) − popcount(u_j & minus_ones))
//   Σ u·w = 2 Σ_j 2^j popcount(u_j & ones) − Σ u                           without zeros (binary)
//
// Sixteen output channels fill a register, so that 512 products take two instructions a plane. groups == 1.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "kernels/qconv/qconv.h"
#include "kernels/table.h"

namespace pare::kernels {

struct BitConvKernel;
struct BitConvPacked;

/// Inputs lie in lowest … lowest + 2^bits − 1, which holds the zero point too; all in the input's own type.
struct BitInputs {
  DType type = DType::kUint8;
  std::int32_t zero_point = 0, lowest = 0;
  int bits = 2;  ///< 1 or 2
};

class BitConvWeights : public PackedHandle<BitConvPacked> {
 public:
  using PackedHandle::PackedHandle;

  /// As QConvWeights::pack; requires takes().
  static BitConvWeights pack(const ConvShape& shape, const QConvFilter& filter, const BitInputs& inputs,
                             const std::int32_t* bias, const BitConvKernel* kernel = nullptr);
  /// groups == 1, s8 weights of −1, 0 and 1 without zero points, inputs as BitInputs says.
  static bool takes(const ConvShape& shape, const QConvFilter& filter, const BitInputs& inputs) noexcept;

  /// As QConvWeights has them (kernels/packed.h).
  static std::string packing_key(const ConvShape& shape, const QConvFilter& filter, const BitInputs& inputs,
                                 const std::int32_t* bias);
  static std::optional<BitConvWeights> view(const ConvShape& shape, const BitInputs& inputs, PackedReader& reader);
  void write(PackedWriter& writer) const;

  const char* kernel_name() const noexcept;  ///< "bitconv__avx512vnni_vbmi", …
  std::size_t bytes() const noexcept;
  bool binary() const noexcept;  ///< no weight is zero
};

/// Bytes of scratch for at most `threads` threads.
std::size_t bitconv_scratch_bytes(const BitConvWeights& weights, const ConvShape& shape, int threads) noexcept;

/// Arguments as qconv. What inputs outside the promised values give is not specified.
void bitconv(const BitConvWeights& weights, const ConvShape& shape, const void* input, const QConvEpilogue& epilogue,
             void* output, void* scratch, int threads) noexcept;

/// All rows in order of priority, the reference last.
std::span<const BitConvKernel* const> bitconv_kernels() noexcept;
const char* bitconv_kernel_name(const BitConvKernel& kernel) noexcept;
Isa bitconv_kernel_isa(const BitConvKernel& kernel) noexcept;

}  // namespace pare::kernels
