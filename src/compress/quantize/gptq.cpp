#include "compress/quantize/gptq.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/linear_algebra.h"
#include "base/threads.h"
#include "compress/layerwise/hessian.h"
#include "compress/quantize/refine.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

/// The order in which columns are rounded.
std::vector<std::size_t> order_of(std::span<const double> hessian, std::size_t n, bool act_order) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (act_order)
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return hessian[a * n + a] > hessian[b * n + b];
    });
  return order;
}

/// U of H⁻¹ = UᵀU for the damped Hessian in this order.
std::vector<double> factor(std::span<const double> hessian, const std::vector<std::size_t>& order, double damping) {
  const std::size_t n = order.size();
  const std::vector<double> damped = damped_hessian(hessian, n, damping);
  std::vector<double> ordered(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) ordered[i * n + j] = damped[order[i] * n + order[j]];
  return cholesky_of_inverse(std::move(ordered), static_cast<std::int64_t>(n));
}

struct Columns {
  const ir::WeightView& view;
  std::size_t element(std::int64_t output, std::size_t column) const {
    const auto c = static_cast<std::int64_t>(column);
    return static_cast<std::size_t>(view.index(output, c / view.inputs, c % view.inputs));
  }
};

/// Rounds `row` (in order) in place of its integers; `rows` outputs at a time share a pass over U.
void round_rows(std::span<const float> weight, const Columns& columns, const passes::QuantParams& params,
                const passes::ParamMap& map, const std::vector<std::size_t>& order, const std::vector<double>& u,
                std::int64_t first, std::int64_t rows, std::span<std::int32_t> integers) {
  const std::size_t n = order.size();
  const auto [low, high] = passes::integer_limits(params);
  std::vector<double> left(n * static_cast<std::size_t>(rows));  // [column, row]
  const auto count = static_cast<std::size_t>(rows);
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t r = 0; r < count; ++r)
      left[j * count + r] =
          static_cast<double>(weight[columns.element(first + static_cast<std::int64_t>(r), order[j])]);
  std::vector<double> off(count);
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t r = 0; r < count; ++r) {
      const std::size_t at = columns.element(first + static_cast<std::int64_t>(r), order[j]), p = map(at);
      const double w = left[j * count + r], scale = static_cast<double>(params.scale[p]);
      const double level = weight[at] == 0.0F
                               ? params.zero_point[p]
                               : std::clamp(std::nearbyint(w / scale) + params.zero_point[p], low, high);
      integers[at] = static_cast<std::int32_t>(level);
      off[r] = (w - (level - params.zero_point[p]) * scale) / u[j * n + j];
    }
    for (std::size_t k = j + 1; k < n; ++k) {
      const double factor = u[j * n + k];
      double* to = &left[k * count];
      for (std::size_t r = 0; r < count; ++r) to[r] -= off[r] * factor;
    }
  }
}

}  // namespace

std::vector<std::int32_t> gptq_levels(const Tensor& weight, const ir::WeightView& view,
                                      const passes::QuantParams& params, std::span<const double> hessian,
                                      std::int64_t groups, const GptqOptions& options) {
  constexpr std::int64_t kRows = 64;  // that share a pass over the factor
  const auto n = static_cast<std::size_t>(view.taps * view.inputs);
  if (hessian.size() != n * n * static_cast<std::size_t>(groups))
    throw Error(ErrorCode::kInternal, "gptq", "the Hessian has another size", std::to_string(n),
                std::to_string(hessian.size()));
  const passes::ParamMap map(params, weight.dims());
  std::vector<std::int32_t> integers(static_cast<std::size_t>(weight.numel()));
  const std::int64_t outputs = view.outputs / groups;
  for (std::int64_t g = 0; g < groups; ++g) {
    const auto own = hessian.subspan(static_cast<std::size_t>(g) * n * n, n * n);
    const std::vector<std::size_t> order = order_of(own, n, options.act_order);
    const std::vector<double> u = factor(own, order, options.damping);
    parallel_for((outputs + kRows - 1) / kRows, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t part = begin; part < end; ++part)
        round_rows(weight.data<float>(), Columns{view}, params, map, order, u, g * outputs + part * kRows,
                   std::min(kRows, outputs - part * kRows), integers);
    });
  }
  return integers;
}

Tensor gptq(const Tensor& weight, const ir::WeightView& view, const passes::QuantParams& params,
            std::span<const double> hessian, std::int64_t groups, const GptqOptions& options) {
  const passes::ParamMap map(params, weight.dims());
  std::vector<std::int32_t> integers = gptq_levels(weight, view, params, hessian, groups, options);
  refine(weight.data<float>(), view, params, map, hessian, groups, options.refine, integers);
  return passes::pack_integers(integers, weight.dims(), params.dtype);
}

}  // namespace pare::compress
