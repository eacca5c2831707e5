// Sparsity patterns, defined once: what they mean, how they are written, whether a tensor has one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ir/model.h"
#include "pare/tensor.h"

namespace pare::ir {

/// unstructured: any zeros. balanced "N:M" (8:64, 2:4): each group of M consecutive input channels of one kernel tap and
/// one output channel keeps at most N weights; a tail of n < M channels keeps at most ceil(N·n/M). blocks "RxC" (1x4):
/// R consecutive output channels by C consecutive input channels of one tap are zero together; blocks at the edge are
/// smaller.
struct SparsityPattern {
  enum class Kind { kUnstructured, kBalanced, kBlocks };
  Kind kind = Kind::kUnstructured;
  int q = 0;       ///< survivors in each full group (kBalanced)
  int group = 64;  ///< input channels of a group (kBalanced)
  int block_outputs = 1, block_inputs = 1;  ///< kBlocks

  /// "unstructured", "8:64", "2:4", "1x4". Throws Error(kUsage) naming what is accepted.
  static SparsityPattern parse(const std::string& text);
  std::string to_string() const;
  /// The sparsity a pattern fixes, 1 − N/M; nullopt for the others.
  std::optional<double> fixed_sparsity() const;
  int survivors(std::int64_t group_size) const;  ///< ceil(N·n/M)
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

/// The blocks of an RxC pattern over a view, in order of output, tap, input.
struct BlockGrid {
  WeightView view;
  std::int64_t rows, columns;  ///< of a whole block
  std::int64_t across;         ///< blocks side by side in one tap
  BlockGrid(const WeightView& view, const SparsityPattern& pattern)
      : view(view),
        rows(pattern.block_outputs),
        columns(pattern.block_inputs),
        across((view.inputs + columns - 1) / columns) {}
  std::int64_t size() const noexcept { return (view.outputs + rows - 1) / rows * view.taps * across; }
  /// visit(element) for every element of a block.
  template <typename Visit>
  void for_each(std::int64_t block, Visit visit) const {
    const std::int64_t input = block % across * columns, tap = block / across % view.taps,
                       output = block / across / view.taps * rows;
    for (std::int64_t o = output; o < output + rows && o < view.outputs; ++o)
      for (std::int64_t i = input; i < input + columns && i < view.inputs; ++i) visit(view.index(o, tap, i));
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
/// True when every group obeys the pattern; for blocks, when each is all zeros or has none.
bool has_pattern(const Tensor& tensor, const WeightView& view, const SparsityPattern& pattern);
/// The tightest q for which the tensor is q:64 with q ≤ 32; nullopt when denser, or when groups that are not empty are
/// filled to less than three quarters: zeros anywhere leave each of them as many as q by chance, and are no pattern.
std::optional<SparsityPattern> detect_balanced(const Tensor& tensor, const WeightView& view);

}  // namespace pare::ir
