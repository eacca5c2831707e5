// How the weights of one layer become integers by what it sees of samples: a rounding, then sweeps that improve levels and
// scales in turn.
#pragma once

#include <functional>
#include <string>

#include "compress/quantize/adaround.h"
#include "compress/quantize/gptq.h"

namespace pare::compress {

struct RoundingOptions {
  std::string method = "gptq";  ///< "gptq" or "adaround"
  GptqOptions gptq;
  SoftRoundingOptions adaround;
  int refine = 0;           ///< sweeps of coordinate descent over the levels (refine.h)
  bool fit_scales = false;  ///< before the sweeps and after each, the scales of least output error (fit_scales.h)
};

struct RoundedWeight {
  passes::QuantParams params;
  std::vector<std::int32_t> levels;
};

/// `params`: the grid to begin with; `hessian`, `groups` as RoundedLayer has them. Neither a sweep nor a fit of the scales
/// lets the layer's output error grow. Weights that are exactly 0 stay it. `tick`: called often (cancellation).
RoundedWeight round_layer(const Tensor& weight, const ir::WeightView& view, passes::QuantParams params,
                          std::span<const double> hessian, std::int64_t groups, const RoundingOptions& options,
                          const std::function<void()>& tick = {});

}  // namespace pare::compress
