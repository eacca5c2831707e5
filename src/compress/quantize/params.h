// Scales and zero points from ranges and weights. Scales are positive normal floats, always.
#pragma once

#include <functional>
#include <optional>

#include "compress/quantize/calibrator.h"
#include "ir/fake_quantize.h"
#include "passes/qdq.h"

namespace pare::compress {

/// How activations become integers.
struct ActivationSpec {
  int bits = 8;               ///< 2 … 8, stored in bytes, or 16
  bool power_of_two = false;  ///< the scale is the next power of two that covers the range (fixed point)
};

/// Unsigned: scale = (high − low)/(2^bits − 1), zero_point = round(−low/scale), with the range widened to include 0 so
/// that padding and zeros are exact. A range of nothing but 0 gets scale 1.
passes::QuantParams affine_params(Range range, const ActivationSpec& spec = {});
/// Signed around 0: scale = max(|low|, |high|)/(2^(bits−1) − 1), zero_point 0.
passes::QuantParams symmetric_params(Range range, const ActivationSpec& spec = {});

/// How weights become integers.
struct WeightSpec {
  int bits = 8;  ///< 2 … 8; 1: kBinary
  bool symmetric = true;
  bool per_channel = true;
  std::int64_t group = 0;  ///< input channels of a matrix that share a scale; 0: all
  bool power_of_two = false;  ///< scales are powers of two: those with the least squared error (Jain et al. 2020)
  bool bytes = false;         ///< few bits too are stored in bytes, as engines want them that fuse integers of 8 bits only
  /// Ternary or binary weights in place of even steps (sign_levels.h); nullopt: even steps.
  std::optional<ir::FakeScheme> signs;
  /// Narrower than the largest weight where that makes less squared error, as few bits ask for; at 8 bits it costs
  /// more than it gives.
  bool clip() const noexcept { return bits < 8 || power_of_two; }
};

/// Symmetric: −(2^(bits−1)−1) … with zero 0; affine: 0 … 2^bits−1 over the range with 0 in it. Up to 4 bits are stored as
/// int4 or uint4, others in bytes. A scale for the tensor, each output channel (`output_axis`), or each group along the
/// other axis. With `clip` the range is shrunk to the fiftieth of itself with the least squared error. A part of zeros
/// takes the largest scale of the tensor, so that its bias keeps a sensible step. `energy`: what the squared error of
/// each element counts, E[x²] of the input that it meets; empty: all alike.
passes::QuantParams weight_params(const Tensor& weight, int output_axis, const WeightSpec& spec,
                                  std::span<const float> energy = {});

/// The squared error of weights that share a scale, where ŵ − w of `elements` is `off`.
using PartError = std::function<double(std::span<const std::size_t> elements, std::span<const double> off)>;
/// As above, with ranges shrunk to the least `error` at any number of bits.
passes::QuantParams weight_params(const Tensor& weight, int output_axis, const WeightSpec& spec, const PartError& error);

/// Raises scales until bias/(input_scale · scale) fits into int32 with room for the accumulation (2³⁰), as a channel of
/// tiny weights with an ordinary bias needs; powers of two stay powers of two. Returns the number of channels raised.
int raise_for_bias(passes::QuantParams& weight, float input_scale, std::span<const float> bias,
                   bool power_of_two = false);

}  // namespace pare::compress
