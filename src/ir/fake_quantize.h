// FakeQuantize (domain pare): a tensor on an integer grid, held in float. Quantization-aware training puts it where
// QuantizeLinear and DequantizeLinear will stand; what it rounds to is defined here, once, for the reference, for the
// trainer's tests and for the integers that are written in the end.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "ir/pare_domain.h"

namespace pare::ir {

/// A learned scale that falls below counts as this: 1/scale stays finite.
inline constexpr float kSmallestStep = 1e-12F;

/// How the grid follows from the inputs (attribute `scheme`); s is the step, q the integer, z the zero point.
enum class FakeScheme {
  kLsq,      ///< s = scale, learned (Esser et al. 2020); with an offset β, z = −β/s (LSQ+, Bhalgat et al. 2020)
  kFixed,    ///< s = scale, not learned: biases at the product of two other steps
  kPact,     ///< s = scale/high: the scale is the clipping point α (Choi et al. 2018)
  kDorefa,   ///< s = scale/high, q = 2·round(high·(tanh w / (2·max|tanh w|) + 1/2)) − high (Zhou et al. 2016)
  kBinary,   ///< s = mean|w|, q = sign w (XNOR-Net, Rastegari et al. 2016)
  kTernary,  ///< q = sign w where |w| > 0.7·mean|w|, s = mean|w| of these (TWN, Li et al. 2016)
};
/// "lsq", "fixed", "pact", "dorefa", "binary", "ternary"; nullopt for others.
std::optional<FakeScheme> find_fake_scheme(std::string_view name);
std::string_view name(FakeScheme scheme);
/// Whether the step follows from the values alone, without an input `scale`.
bool derives_scale(FakeScheme scheme);

/// The attributes of a FakeQuantize node.
struct FakeQuantizer {
  FakeScheme scheme = FakeScheme::kLsq;
  std::int64_t low = 0, high = 255;  ///< smallest and largest integer, zero point included
  std::int64_t axis = -1;            ///< that has a scale for each index; −1: one scale
  bool activation = false;           ///< axis 0 counts samples
};
/// Error(kBadInput) naming the node where an attribute makes no sense.
FakeQuantizer fake_quantizer(const Node& node);
void set_attributes(Node& node, const FakeQuantizer& quantizer);

/// value ≈ level · step[index of the axis];  level = q − zero_point.
struct FakeLevels {
  std::vector<std::int32_t> levels;
  std::vector<float> steps;  ///< one, or one for each index of the axis
  std::int32_t zero_point = 0;
};
/// Round half to even of x/step in float, as QuantizeLinear. `scale`: one, or one an index; empty where it is derived.
/// Exact zeros of weights stay zero in every scheme; they count in no mean. Error(kBadInput) where sizes do not fit.
FakeLevels fake_levels(const FakeQuantizer& quantizer, const Tensor& x, std::span<const float> scale,
                       std::optional<float> offset);

}  // namespace pare::ir
