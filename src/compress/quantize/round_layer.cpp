#include "compress/quantize/round_layer.h"

#include "compress/quantize/fit_scales.h"
#include "compress/quantize/refine.h"

namespace pare::compress {

RoundedWeight round_layer(const Tensor& weight, const ir::WeightView& view, passes::QuantParams params,
                          std::span<const double> hessian, std::int64_t groups, const RoundingOptions& options,
                          const std::function<void()>& tick) {
  const passes::ParamMap map(params, weight.dims());
  const RoundedLayer layer{weight.data<float>(), view, params, map, hessian, groups};  // sees `params` as they change
  std::vector<std::int32_t> levels = options.method == "adaround"
                                         ? adaround(layer, options.adaround, tick)
                                         : gptq_levels(weight, view, params, hessian, groups, options.gptq);
  const auto fit = [&] {
    if (options.fit_scales) params = fit_scales(layer, levels);
  };
  fit();
  for (int sweep = 0; sweep < options.refine; ++sweep) {
    if (tick) tick();
    refine(weight.data<float>(), view, params, map, hessian, groups, 1, levels);
    fit();
  }
  return {std::move(params), std::move(levels)};
}

}  // namespace pare::compress
