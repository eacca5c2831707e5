// 8-bit products whose int32 sums are wanted themselves (ConvInteger, MatMulInteger), on the integer kernels, which
// hand sums out as f32.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/kernel.h"
#include "runtime/lowerer.h"

namespace pare::runtime {

/// A compiled product with constant weights: y[p, c] = Σ (x − x_zero) · (w − w_zero[c]), exact. The weights are cut
/// along the input channels where a sum could pass 2²⁴, beyond which f32 is not exact: bounded by Σ |w − w_zero| of
/// every output.
class ExactProduct {
 public:
  struct Weight;

  /// `shape` has no padding (the zero point is known at run time only: callers pad). `weight` is 8-bit, read through
  /// `strides`; `zero`: one an output. nullptr with a reason where the kernels do not take it.
  static std::shared_ptr<const ExactProduct> make(Lowerer& lw, const std::string& key, const kernels::ConvShape& shape,
                                                  const Tensor& weight, const kernels::FilterStrides& strides,
                                                  const std::vector<std::int32_t>& zero, DType input,
                                                  std::string& reason);

  std::string kernel() const;
  std::size_t weight_bytes() const;
  std::size_t scratch_bytes() const;
  /// in: [batch, h, w, in_c] of the input type; out: [pixels, out_c]. scratch: scratch_bytes(), 64-byte aligned.
  void run(const std::byte* in, std::int32_t zero, std::int32_t* out, std::byte* scratch) const;

 private:
  std::size_t chunk_bytes() const;  ///< of the input's part that one chunk reads
  std::size_t sums_bytes() const;

  kernels::ConvShape shape_;
  std::shared_ptr<const Weight> weight_;
  std::size_t inner_scratch_ = 0;
  int threads_ = 1;
};

/// One zero point an output from an optional constant tensor of one or `outputs` elements; nullopt when it is neither.
std::optional<std::vector<std::int32_t>> zero_points(const Tensor* tensor, std::int64_t outputs);

}  // namespace pare::runtime
