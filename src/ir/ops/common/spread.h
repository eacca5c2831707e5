// Geometry of ConvTranspose: a window that spreads each input element over the output.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/ops/common/window.h"

namespace pare::ir::ops {

/// One spatial axis on concrete sizes: input i and tap k meet at output i · stride − pad + k · dilation.
struct Spread {
  std::int64_t in, out, kernel, stride, dilation, pad;
};

/// The attributes, checked: one entry per spatial axis (output_shape may be empty).
struct SpreadRule {
  Window window;
  std::vector<std::int64_t> output_padding, output_shape;
};
SpreadRule read_spread(const InferContext& ctx, std::vector<std::int64_t> kernel);
SpreadRule read_spread(const EvaluateContext& ctx, std::vector<std::int64_t> kernel);

/// Sizes and pads for concrete spatial input sizes.
std::vector<Spread> resolve(const EvaluateContext& ctx, const SpreadRule& rule, const Dims& spatial);
Dim spread_output(const InferContext& ctx, const SpreadRule& rule, std::size_t axis, const Dim& in);

}  // namespace pare::ir::ops
