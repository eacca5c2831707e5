#include "compress/quantize/vectors.h"

#include <algorithm>
#include <limits>

#include "base/threads.h"

namespace pare::compress {
namespace {

constexpr std::size_t kPointsPerRow = 256;
constexpr int kRounds = 30;

/// Points by copy: those that training looks at.
struct Sample {
  std::size_t length;
  std::vector<float> points, importance;

  std::size_t count() const { return points.size() / length; }
  float weight(std::size_t element) const { return importance.empty() ? 1.0F : importance[element]; }
};

bool is_zero(std::span<const float> points, std::size_t at, std::size_t length) {
  return std::all_of(points.begin() + static_cast<std::ptrdiff_t>(at * length),
                     points.begin() + static_cast<std::ptrdiff_t>((at + 1) * length), [](float x) { return x == 0; });
}

Sample sample_of(const VectorRequest& request) {
  const auto length = static_cast<std::size_t>(request.length);
  std::vector<std::int64_t> open;
  for (std::size_t i = 0; i < request.points.size() / length; ++i)
    if (!request.with_zero || !is_zero(request.points, i, length)) open.push_back(static_cast<std::int64_t>(i));
  const std::size_t most = kPointsPerRow * static_cast<std::size_t>(request.entries);
  if (open.size() > most) {
    std::vector<std::int64_t> order = request.rng.permutation(static_cast<std::int64_t>(open.size()));
    order.resize(most);
    std::sort(order.begin(), order.end());
    for (std::int64_t& at : order) at = open[static_cast<std::size_t>(at)];
    open = std::move(order);
  }
  Sample sample{length, {}, {}};
  for (const std::int64_t at : open)
    for (std::size_t j = 0; j < length; ++j) {
      const std::size_t element = static_cast<std::size_t>(at) * length + j;
      sample.points.push_back(request.points[element]);
      if (!request.importance.empty()) sample.importance.push_back(request.importance[element]);
    }
  return sample;
}

double distance(const Sample& sample, std::size_t point, const float* row) {
  double sum = 0;
  for (std::size_t j = 0; j < sample.length; ++j) {
    const std::size_t element = point * sample.length + j;
    const double off = static_cast<double>(sample.points[element]) - static_cast<double>(row[j]);
    sum += static_cast<double>(sample.weight(element)) * off * off;
  }
  return sum;
}

/// k-means++: each further row is a point drawn with a chance in proportion to its distance from the rows so far.
std::vector<float> start_rows(const Sample& sample, std::size_t rows, const std::vector<float>& fixed, Rng& rng) {
  std::vector<float> chosen = fixed;
  std::vector<double> nearest(sample.count(), std::numeric_limits<double>::infinity());
  const auto see = [&](const float* row) {
    parallel_for(static_cast<std::int64_t>(sample.count()), 1024, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
        nearest[i] = std::min(nearest[i], distance(sample, i, row));
    });
  };
  if (!fixed.empty()) see(fixed.data());
  while (chosen.size() < rows * sample.length) {
    std::size_t pick = 0;
    if (chosen.empty()) {
      pick = static_cast<std::size_t>(rng.below(sample.count()));
    } else {
      double total = 0;
      for (const double square : nearest) total += square;
      if (!(total > 0)) break;  // every point is a row already
      double left = rng.uniform() * total;
      for (; pick + 1 < nearest.size() && left >= nearest[pick]; ++pick) left -= nearest[pick];
    }
    const float* point = sample.points.data() + pick * sample.length;
    chosen.insert(chosen.end(), point, point + sample.length);
    see(point);
  }
  return chosen;
}

/// Rows as the means of their points; row 0 stays when it is `fixed`. Returns whether any moved.
bool move_rows(const Sample& sample, const std::vector<std::int32_t>& nearest, std::vector<double>& error,
               bool fixed, std::vector<float>& rows) {
  const std::size_t length = sample.length, count = rows.size() / length;
  std::vector<double> sums(rows.size(), 0), weights(rows.size(), 0);
  std::vector<bool> used(count, false);
  for (std::size_t i = 0; i < sample.count(); ++i) {
    const auto row = static_cast<std::size_t>(nearest[i]);
    used[row] = true;
    for (std::size_t j = 0; j < length; ++j) {
      const auto weight = static_cast<double>(sample.weight(i * length + j));
      sums[row * length + j] += weight * static_cast<double>(sample.points[i * length + j]);
      weights[row * length + j] += weight;
    }
  }
  bool moved = false;
  for (std::size_t row = fixed ? 1 : 0; row < count; ++row) {
    if (!used[row]) {
      const auto farthest = static_cast<std::size_t>(std::max_element(error.begin(), error.end()) - error.begin());
      if (!(error[farthest] > 0)) continue;
      error[farthest] = 0;
      for (std::size_t j = 0; j < length; ++j) rows[row * length + j] = sample.points[farthest * length + j];
      moved = true;
      continue;
    }
    for (std::size_t j = 0; j < length; ++j) {
      if (weights[row * length + j] <= 0) continue;
      const auto mean = static_cast<float>(sums[row * length + j] / weights[row * length + j]);
      moved |= mean != rows[row * length + j];
      rows[row * length + j] = mean;
    }
  }
  return moved;
}

/// Rows side by side, [length, rows]: distances to all of them then come from loops over rows.
std::vector<float> transposed(std::span<const float> rows, std::size_t length) {
  const std::size_t count = rows.size() / length;
  std::vector<float> out(rows.size());
  for (std::size_t k = 0; k < count; ++k)
    for (std::size_t j = 0; j < length; ++j) out[j * count + k] = rows[k * length + j];
  return out;
}

}  // namespace

std::vector<std::int32_t> nearest_vectors(std::span<const float> points, std::span<const float> importance,
                                          std::int64_t length, std::span<const float> rows,
                                          std::vector<double>* error) {
  const auto n = static_cast<std::size_t>(length);
  const std::size_t count = rows.size() / n, total = points.size() / n;
  const std::vector<float> columns = transposed(rows, n);
  std::vector<std::int32_t> nearest(total);
  if (error) error->assign(total, 0);
  parallel_for(static_cast<std::int64_t>(total), 256, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> away(count);
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      std::fill(away.begin(), away.end(), 0.0F);
      for (std::size_t j = 0; j < n; ++j) {
        const float x = points[i * n + j], h = importance.empty() ? 1.0F : importance[i * n + j];
        const float* column = columns.data() + j * count;
        for (std::size_t k = 0; k < count; ++k) away[k] += h * (x - column[k]) * (x - column[k]);
      }
      const auto best = std::min_element(away.begin(), away.end());
      nearest[i] = static_cast<std::int32_t>(best - away.begin());
      if (error) (*error)[i] = static_cast<double>(*best);
    }
  });
  return nearest;
}

std::vector<float> choose_vectors(const VectorRequest& request) {
  const Sample sample = sample_of(request);
  const std::vector<float> zero(request.with_zero ? static_cast<std::size_t>(request.length) : 0, 0.0F);
  if (sample.count() == 0) return std::vector<float>(static_cast<std::size_t>(request.length), 0.0F);
  std::vector<float> rows = start_rows(sample, static_cast<std::size_t>(request.entries), zero, request.rng);
  std::vector<double> error;
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<std::int32_t> nearest =
        nearest_vectors(sample.points, sample.importance, request.length, rows, &error);
    if (!move_rows(sample, nearest, error, request.with_zero, rows)) break;
  }
  return rows;
}

}  // namespace pare::compress
