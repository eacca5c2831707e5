#include "compress/quantize/sign_levels.h"

#include <algorithm>

namespace pare::compress {

SignLevels sign_levels(const Tensor& weight, int output_axis, const WeightSpec& spec) {
  const ir::FakeQuantizer how{.scheme = *spec.signs, .low = -1, .high = 1, .axis = spec.per_channel ? output_axis : -1};
  const ir::FakeLevels found = ir::fake_levels(how, weight, {}, std::nullopt);
  passes::QuantParams params{.scale = found.steps,
                             .dtype = spec.bytes ? DType::kInt8 : passes::narrowest_type(-1, 1),
                             .axis = static_cast<int>(how.axis),
                             .bits = 2};
  params.zero_point.assign(found.steps.size(), 0);
  const float largest = *std::max_element(found.steps.begin(), found.steps.end());
  for (float& scale : params.scale)
    if (scale <= ir::kSmallestStep) scale = largest <= ir::kSmallestStep ? 1.0F : largest;
  return {params, passes::pack_integers(found.levels, weight.dims(), params.dtype)};
}

}  // namespace pare::compress
