// oneDNN behind plain types: convolution and matrix product in f32 and bf16. onednn.cpp is the only file that includes it (2.x
// API).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/elementwise/elementwise.h"
#include "kernels/qconv/qconv.h"
#include "pare/tensor.h"

namespace pare::runtime {
class WeightCache;
}

namespace pare::runtime::onednn {

/// "2.6.3"
std::string version();

/// What follows the product, in order: an activation, or the addition of a tensor of the result's shape.
struct PostOp {
  bool add = false;
  kernels::UnaryOp op = kernels::UnaryOp::kIdentity;
  kernels::UnaryParams params;
};

/// True for the activations that a PostOp may name.
bool can_fuse(kernels::UnaryOp op) noexcept;
/// Both are one algorithm to oneDNN, whose release 2.6 mixes up the parameters of two such post-ops.
bool same_algorithm(kernels::UnaryOp a, kernels::UnaryOp b) noexcept;

/// float32 or bfloat16 each. Weights are multiplied in the input's type (rounded to it once); the bias stays float32.
struct ProductTypes {
  DType in = DType::kFloat32, add = DType::kFloat32, out = DType::kFloat32;
};

/// A compiled product with constant weights. Immutable; thread-safe.
class Product {
 public:
  virtual ~Product() = default;
  /// `add`: the tensor of the PostOp that adds (nullptr when there is none). scratch: scratch_bytes(), 64-byte aligned.
  virtual void run(const void* in, const void* add, void* out, std::byte* scratch) const = 0;
  virtual std::size_t scratch_bytes() const = 0;
  virtual std::size_t weight_bytes() const = 0;
  virtual std::string implementation() const = 0;  ///< oneDNN's name, "jit:avx2"
  /// It adds to what lies in `out`: `add` is copied there first, unless it is `out`.
  virtual bool adds_in_place() const = 0;
};

/// NHWC in and out; weight float32, ONNX [O, I/groups, kh, kw]; bias [O] or undefined. Direct algorithms only: the
/// error of oneDNN's Winograd passes 1e-4 (kernels/winograd has ours). nullptr with a reason when oneDNN refuses.
std::unique_ptr<Product> convolution(const std::string& key, const kernels::ConvShape& shape, const Tensor& weight,
                                     const Tensor& bias, const std::vector<PostOp>& post, const ProductTypes& types,
                                     WeightCache& cache, std::string& reason);

/// in [m, k], weight [n, k] when `transposed` else [k, n]; out [m, n] = in · weight + bias[n].
std::unique_ptr<Product> inner_product(const std::string& key, std::int64_t m, std::int64_t k, std::int64_t n,
                                       const Tensor& weight, bool transposed, const Tensor& bias,
                                       const std::vector<PostOp>& post, const ProductTypes& types, WeightCache& cache,
                                       std::string& reason);

struct IntegerInput {
  DType type = DType::kUint8;  ///< or kInt8
  std::int32_t zero_point = 0;
  const std::int32_t* bias = nullptr;  ///< [outputs] at scale input · weight, or nullptr
};

/// A compiled integer product with constant weights: 8-bit input, int32 sums, the epilogue of kernels/qconv/qconv.h but
/// for the order of its roundings (at most 1 in the last place). Immutable; thread-safe.
class IntegerProduct {
 public:
  virtual ~IntegerProduct() = default;
  /// residual: nullptr where the epilogue has none.
  virtual void run(const void* in, const void* residual, void* out, std::byte* scratch) const = 0;
  virtual std::size_t scratch_bytes() const = 0;
  virtual std::size_t weight_bytes() const = 0;
  virtual std::string implementation() const = 0;
  virtual bool adds_in_place() const = 0;  ///< as Product's
};

/// What oneDNN has for a product, found once, and made only where it is chosen.
struct IntegerOffer {
  std::string implementation;
  /// Packs the weights. The cache must be there still; the epilogue's and the input's arrays need not.
  std::function<std::shared_ptr<const IntegerProduct>()> make;
};

/// NHWC; `weight` is a signed 8-bit tensor without zero points, ONNX [O, I/groups, kh, kw]. nullopt with a reason when
/// oneDNN refuses.
std::optional<IntegerOffer> integer_convolution(const std::string& key, const kernels::ConvShape& shape,
                                                const Tensor& weight, const IntegerInput& input,
                                                const kernels::QConvEpilogue& epilogue, WeightCache& cache,
                                                std::string& reason);

/// in [m, k] = [shape.batch, shape.in_c], weight [n, k] when `transposed` else [k, n]; as above.
std::optional<IntegerOffer> integer_matmul(const std::string& key, const kernels::ConvShape& shape,
                                           const Tensor& weight, bool transposed, const IntegerInput& input,
                                           const kernels::QConvEpilogue& epilogue, WeightCache& cache,
                                           std::string& reason);

/// A batch of matrices in memory: sizes and strides (in elements) of the leading axes, as many as the result has (size
/// 1 where the operand is broadcast), and the strides of a matrix's rows and columns.
struct Batched {
  Dims dims, strides;
  std::int64_t row = 0, column = 1;
};

/// A compiled product of two batches of matrices, both known only at run time. Immutable; thread-safe.
class BatchedProduct {
 public:
  virtual ~BatchedProduct() = default;
  virtual void run(const float* a, const float* b, float* out, std::byte* scratch) const = 0;
  virtual std::size_t scratch_bytes() const = 0;
  virtual std::string implementation() const = 0;
};

/// out [batch…, m, n] dense = a [m, k] · b [k, n], with numpy broadcasting of the leading axes. nullptr with a reason
/// when oneDNN refuses.
std::unique_ptr<BatchedProduct> batched_product(std::int64_t m, std::int64_t k, std::int64_t n, const Batched& a,
                                                const Batched& b, const Dims& batch, std::string& reason);

}  // namespace pare::runtime::onednn
