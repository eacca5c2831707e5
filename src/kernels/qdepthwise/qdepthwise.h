// Integer depthwise convolution (groups == in_c == out_c), NHWC. Arithmetic and epilogue exactly as
// kernels/qconv/qconv.h.
#pragma once

#include <memory>
#include <span>

#include "kernels/qconv/qconv.h"

namespace pare::kernels {

struct QDepthwiseKernel;

/// Packed depthwise weights; immutable.
class QDepthwiseWeights {
 public:
  QDepthwiseWeights();
  ~QDepthwiseWeights();
  QDepthwiseWeights(QDepthwiseWeights&&) noexcept;
  QDepthwiseWeights& operator=(QDepthwiseWeights&&) noexcept;

  /// As QConvWeights::pack; a row that does not take the shape or the weights leaves them to the next that does.
  /// Requires shape.groups == in_c == out_c (filter element (o, 0, y, x)).
  static QDepthwiseWeights pack(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                                std::int32_t input_zero_point, const std::int32_t* bias,
                                const QDepthwiseKernel* kernel = nullptr);

  /// What pack() would make of these arguments on this machine, as kernels/packed.h says; `filter.data` is not read.
  static std::string packing_key(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                                 std::int32_t input_zero_point, const std::int32_t* bias);
  /// The weights of such arguments from what write() wrote; nullopt when it does not fit.
  static std::optional<QDepthwiseWeights> view(const ConvShape& shape, DType input_type, std::int32_t input_zero_point,
                                               PackedReader& reader);
  void write(PackedWriter& writer) const;

  const char* kernel_name() const noexcept;
  std::size_t bytes() const noexcept;

  struct Packed;
  const Packed& packed() const noexcept { return *packed_; }

 private:
  std::unique_ptr<Packed> packed_;
};

/// No scratch. Arguments as qconv.
void qdepthwise(const QDepthwiseWeights& weights, const ConvShape& shape, const void* input,
                const QConvEpilogue& epilogue, void* output) noexcept;

std::span<const QDepthwiseKernel* const> qdepthwise_kernels() noexcept;
const char* qdepthwise_kernel_name(const QDepthwiseKernel& kernel) noexcept;
Isa qdepthwise_kernel_isa(const QDepthwiseKernel& kernel) noexcept;

}  // namespace pare::kernels
