// Integer matrix product of few rows, bound by reading its weights: 8-bit inputs, weights of 1, 2 or 4 bits that stay
// packed in memory. Arithmetic and epilogue exactly as kernels/qconv/qconv.h, so it gives the same bits as a dense product
// of the same integers.
//
// A weight is w = lowest + step · code: any two values take 1 bit, four or sixteen consecutive ones 2 or 4, and
// Σ x·w = step · Σ x·code + lowest · Σ x. Codes are multiplied as they come out of memory, 64 at a time.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "kernels/qconv/qconv.h"
#include "kernels/table.h"

namespace pare::kernels {

struct QBitsKernel;
struct QBitsPacked;

/// How s8 weights become codes.
struct QBitsCode {
  int bits = 4;  ///< 1, 2 or 4
  std::int32_t lowest = 0, step = 1;
};

class QBitsWeights : public PackedHandle<QBitsPacked> {
 public:
  using PackedHandle::PackedHandle;

  /// The fewest bits that hold the weights of a product (ConvShape::matmul); nullopt: more than 4, unsigned weights or
  /// such with zero points.
  static std::optional<QBitsCode> code_of(const ConvShape& shape, const QConvFilter& filter);

  /// As QConvWeights::pack, `code` from code_of().
  static QBitsWeights pack(const ConvShape& shape, const QConvFilter& filter, const QBitsCode& code, DType input_type,
                           std::int32_t input_zero_point, const std::int32_t* bias, const QBitsKernel* kernel = nullptr);
  /// As QConvWeights has them (kernels/packed.h).
  static std::string packing_key(const ConvShape& shape, const QConvFilter& filter, const QBitsCode& code,
                                 DType input_type, std::int32_t input_zero_point, const std::int32_t* bias);
  static std::optional<QBitsWeights> view(const ConvShape& shape, const QBitsCode& code, DType input_type,
                                          std::int32_t input_zero_point, PackedReader& reader);
  void write(PackedWriter& writer) const;

  const char* kernel_name() const noexcept;  ///< "qbits__avx512vnni", …
  std::size_t bytes() const noexcept;
};

/// Bytes of scratch; `shape` gives the rows.
std::size_t qbits_scratch_bytes(const QBitsWeights& weights, const ConvShape& shape) noexcept;

/// Arguments as qconv. Rows are taken four at a time, each time reading all weights.
void qbits(const QBitsWeights& weights, const ConvShape& shape, const void* input, const QConvEpilogue& epilogue,
           void* output, void* scratch, int threads) noexcept;

/// All rows in order of priority, the reference last.
std::span<const QBitsKernel* const> qbits_kernels() noexcept;
const char* qbits_kernel_name(const QBitsKernel& kernel) noexcept;
Isa qbits_kernel_isa(const QBitsKernel& kernel) noexcept;

}  // namespace pare::kernels
