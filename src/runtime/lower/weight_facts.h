// What a look at a weight finds, in the numbers that costs of kernels follow from. A packed file keeps it, so that loading
// one looks at no weight.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "kernels/packed.h"
#include "runtime/lowerer.h"

namespace pare::runtime {

/// Share of zeros in 8-bit weights below which no kernel for sparse ones pays, not even of 32:64.
inline constexpr double kSparse8Bit = 0.4;

struct WeightFacts {
  std::int64_t count = 0, zeros = 0;
  // Of 8-bit weights only:
  std::int64_t slots = 0;  ///< that kernels/spconv would have (spconv_slots); 0: zeros are fewer than kSparse8Bit
  std::int64_t quads = 0;  ///< blocks of four consecutive input channels that are not all zero
  std::int32_t low = 0, high = 0;
  std::int64_t values = 0;   ///< how many different ones
  std::int64_t pattern = 0;  ///< q: balanced q:64; −1: zeros come in blocks 1x4; 0: neither

  double sparsity() const { return static_cast<double>(zeros) / static_cast<double>(count > 0 ? count : 1); }
  /// "87.5 % zeros (8:64)"
  std::string to_string() const;

  const char* kernel_name() const { return "facts"; }
  void write(kernels::PackedWriter& writer) const;
  static std::optional<WeightFacts> view(kernels::PackedReader& reader);
};

/// Of a weight of s8 or f32 without groups, read through `strides`.
std::shared_ptr<const WeightFacts> weight_facts(Lowerer& lw, const Group& group, const kernels::ConvShape& shape,
                                                const kernels::FilterStrides& strides, const Tensor& weight);

}  // namespace pare::runtime
