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

struct Columns {
  const ir::WeightView& view;
  std::size_t element(std::int64_t output, std::size_t column) const {
    const auto c = static_cast<std::int64_t>(column);
    return static_cast<std::size_t>(view.index(output, c / view.inputs, c % view.inputs));
  }
};

/// The outputs that are rounded together, column by column in order, and what their weights have become meanwhile.
struct Rows {
  std::span<const float> weight;
  const Columns& columns;
  const passes::QuantParams& params;
  const passes::ParamMap& map;
  const std::vector<std::size_t>& order;
  std::int64_t first;
  std::size_t count;
  std::vector<double> left = std::vector<double>(order.size() * count);  // [column, row]

  std::size_t element(std::size_t j, std::size_t r) const {
    return columns.element(first + static_cast<std::int64_t>(r), order[j]);
  }
  void load() {
    for (std::size_t j = 0; j < order.size(); ++j)
      for (std::size_t r = 0; r < count; ++r) left[j * count + r] = static_cast<double>(weight[element(j, r)]);
  }
  /// Rounds column j; `off` [count] gets each row's error over `pivot`.
  void round(std::size_t j, double pivot, std::span<std::int32_t> integers, double* off) const {
    const auto [low, high] = passes::integer_limits(params);
    for (std::size_t r = 0; r < count; ++r) {
      const std::size_t at = element(j, r), p = map(at);
      const double w = left[j * count + r], scale = static_cast<double>(params.scale[p]);
      const double level = weight[at] == 0.0F
                               ? params.zero_point[p]
                               : std::clamp(std::nearbyint(w / scale) + params.zero_point[p], low, high);
      integers[at] = static_cast<std::int32_t>(level);
      off[r] = (w - (level - params.zero_point[p]) * scale) / pivot;
    }
  }
};

/// A block of columns is rounded with updates inside it; the columns behind it get all of its updates at once by a matrix
/// product (the paper's lazy batch updates: the same sums, in another order).
void round_rows(Rows& rows, const std::vector<double>& u, std::span<std::int32_t> integers) {
  constexpr std::size_t kBlock = 128;
  const std::size_t n = rows.order.size(), count = rows.count;
  rows.load();
  std::vector<double> off(kBlock * count);
  for (std::size_t begin = 0; begin < n; begin += kBlock) {
    const std::size_t end = std::min(n, begin + kBlock);
    for (std::size_t j = begin; j < end; ++j) {
      double* own = &off[(j - begin) * count];
      rows.round(j, u[j * n + j], integers, own);
      for (std::size_t k = j + 1; k < end; ++k) {
        const double factor = u[j * n + k];
        double* to = &rows.left[k * count];
        for (std::size_t r = 0; r < count; ++r) to[r] -= own[r] * factor;
      }
    }
    if (end == n) return;
    const auto i = [](std::size_t x) { return static_cast<std::int64_t>(x); };
    subtract_product(&u[begin * n + end], i(n), off.data(), i(count), &rows.left[end * count], i(count), i(n - end),
                     i(count), i(end - begin));
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
    double damping = options.damping;
    const std::vector<double> u = damped_inverse_factor(own, n, damping, order);
    parallel_for((outputs + kRows - 1) / kRows, 1, [&](std::int64_t begin, std::int64_t end) {
      const Columns columns{view};
      for (std::int64_t part = begin; part < end; ++part) {
        Rows rows{weight.data<float>(), columns, params, map, order, g * outputs + part * kRows,
                  static_cast<std::size_t>(std::min(kRows, outputs - part * kRows))};
        round_rows(rows, u, integers);
      }
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
