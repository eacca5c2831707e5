// The kernels' view of quantization parameters over a value in one of the runtime's layouts.
#pragma once

#include "kernels/quantize/quantize.h"
#include "runtime/lowerer.h"

namespace pare::runtime {

/// Points into `view`, which must outlive the result.
inline kernels::QuantLayout quant_layout(const QuantView& view, const Dims& dims, Layout layout) {
  kernels::QuantLayout found{.scale = view.scale.data(), .zero_point = view.zero_point.data()};
  const Dims memory = physical(dims, layout);
  const std::int64_t axis = view.per_tensor() ? -1 : physical_axis(view.axis, layout);
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    (at < axis ? found.outer : at == axis ? found.axis : found.inner) *= memory[i];
  }
  return found;
}

}  // namespace pare::runtime
