#include "compress/quantize/adaround.h"

#include <algorithm>

#include "base/linear_algebra.h"
#include "base/threads.h"

namespace pare::compress {
namespace {

/// Outputs of one group that are learned together.
struct Rows {
  const RoundedLayer& layer;
  std::int64_t first;
  std::size_t count;

  std::size_t element(std::size_t i) const {
    return layer.element(first + static_cast<std::int64_t>(i / layer.columns()), i % layer.columns());
  }
};

SoftRounding start(const Rows& rows) {
  const auto [low, high] = passes::integer_limits(rows.layer.params);
  std::vector<GridWeight> weights;
  for (std::size_t i = 0; i < rows.count * rows.layer.columns(); ++i) {
    const std::size_t at = rows.element(i);
    weights.push_back({rows.layer.weight[at], static_cast<float>(rows.layer.scale(at)), rows.layer.zero(at)});
  }
  return {weights, low, high};
}

/// `parallel`: nobody else is.
void learn(const Rows& rows, std::span<const float> hessian, std::span<const double> nearest_errors, bool parallel,
           const SoftRoundingOptions& options, const std::function<void()>& tick, std::span<std::int32_t> integers) {
  const std::size_t n = rows.layer.columns();
  SoftRounding soft = start(rows);
  std::vector<float> off(soft.size()), slopes(soft.size());
  const auto each_row = [&](const std::function<void(std::size_t)>& body) {
    const auto count = static_cast<std::int64_t>(rows.count);
    parallel_for(count, parallel ? 4 : count, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) body(static_cast<std::size_t>(r));
    });
  };
  for (int step = 1; step <= options.iterations; ++step) {
    if (tick) tick();
    each_row([&](std::size_t r) {
      for (std::size_t i = r * n; i < (r + 1) * n; ++i) off[i] = soft.error(i);
    });
    const auto width = static_cast<std::int64_t>(n);
    multiply(off, hessian, static_cast<std::int64_t>(rows.count), width, width, slopes);
    each_row([&](std::size_t r) {
      const double error = nearest_errors[static_cast<std::size_t>(rows.first) + r];
      const auto unit = error > 0 ? static_cast<float>(2 * static_cast<double>(n) / error) : 0.0F;
      soft.move(r * n, (r + 1) * n, step, options, slopes, unit);
    });
  }
  for (std::size_t i = 0; i < soft.size(); ++i) integers[rows.element(i)] = soft.level(i);
}

}  // namespace

std::vector<std::int32_t> adaround(const RoundedLayer& layer, const SoftRoundingOptions& options,
                                   const std::function<void()>& tick) {
  constexpr std::size_t kElements = std::size_t{1} << 22;  // that are learned together: 150 MB
  const std::vector<std::int32_t> nearest = nearest_levels(layer);
  const std::vector<double> before = output_errors(layer, nearest);
  std::vector<std::int32_t> learned = nearest;
  const std::int64_t outputs = layer.outputs_of_group();
  const auto most = std::max<std::int64_t>(1, static_cast<std::int64_t>(kElements / layer.columns()));
  const auto learn_group = [&](std::int64_t g, bool parallel) {
    const auto own = layer.hessian_of(g);
    const std::vector<float> hessian(own.begin(), own.end());
    for (std::int64_t first = 0; first < outputs; first += most)
      learn({layer, g * outputs + first, static_cast<std::size_t>(std::min(most, outputs - first))}, hessian, before,
            parallel, options, tick, learned);
  };
  if (layer.groups == 1) {
    learn_group(0, true);
  } else {
    parallel_for(layer.groups, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t g = begin; g < end; ++g) learn_group(g, false);
    });
  }
  const std::vector<double> after = output_errors(layer, learned);
  for (std::int64_t o = 0; o < layer.view.outputs; ++o) {
    if (after[static_cast<std::size_t>(o)] < before[static_cast<std::size_t>(o)]) continue;
    for (std::size_t j = 0; j < layer.columns(); ++j) learned[layer.element(o, j)] = nearest[layer.element(o, j)];
  }
  return learned;
}

}  // namespace pare::compress
