// Sparsity patterns, defined once: what they mean, how they are written, whether a tensor has one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ir/model.h"
#include "pare/tensor.h"

namespace pare::ir {

/// unstructured: any zeros. balanced "q:64": each group of 64 consecutive input channels of one kernel tap and one
/// output channel keeps at most q weights; a tail of n < 64 channels keeps at most ceil(q·n/64).
struct SparsityPattern {
  enum class Kind { kUnstructured, kBalanced };
  Kind kind = Kind::kUnstructured;
  int q = 0;  ///< survivors in each full group (kBalanced)
  int group = 64;

  /// "unstructured" or "8:64". Throws Error(kUsage) naming what is accepted.
  static SparsityPattern parse(const std::string& text);
  std::string to_string() const;
  /// The sparsity a pattern fixes, 1 − q/64; nullopt for unstructured.
  std::optional<double> fixed_sparsity() const;
  int survivors(std::int64_t group_size) const;  ///< ceil(q·n/64)
};

/// How a weight tensor is seen by patterns: [outputs][taps][inputs], with strides in elements of the stored tensor.
/// Conv [O, I/g, kh, kw]: taps = kh·kw. Gemm/MatMul B [K, N] or transposed: one tap.
struct WeightView {
  std::int64_t outputs = 0, taps = 1, inputs = 0;
  std::int64_t output_stride = 0, tap_stride = 1, input_stride = 1;
  std::int64_t index(std::int64_t output, std::int64_t tap, std::int64_t input) const noexcept {
    return output * output_stride + tap * tap_stride + input * input_stride;
  }
};

/// The weight of a Conv, Gemm or MatMul node (a constant, possibly behind DequantizeLinear), or of ConvInteger or
/// MatMulInteger, and its view; nullopt otherwise.
struct WeightRef {
  ValueId value;
  WeightView view;
  int output_axis;
};
std::optional<WeightRef> find_weight(const Graph& graph, NodeId node);

/// Fraction of elements that are exactly zero.
double sparsity(const Tensor& tensor);
/// True when every group obeys the pattern.
bool has_pattern(const Tensor& tensor, const WeightView& view, const SparsityPattern& pattern);
/// The tightest q for which the tensor is q:64 with q ≤ 32; nullopt when denser.
std::optional<SparsityPattern> detect_balanced(const Tensor& tensor, const WeightView& view);

}  // namespace pare::ir
