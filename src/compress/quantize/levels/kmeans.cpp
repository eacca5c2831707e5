// k-means weight sharing (Han, Mao & Dally, Deep Compression, 2016): levels are centroids of the weights, which Lloyd's
// iteration moves to the least squared error, from levels spread evenly over the range (linear), evenly over the weights
// (density), or drawn from the weights by k-means++ (random; Arthur & Vassilvitskii 2007).
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "compress/quantize/levels.h"

namespace pare::compress {
namespace {

/// Sorted weights with the running sums of their importance and of importance times weight: a cluster of the line is a
/// run of them.
struct Line {
  std::vector<double> values, importance, sums = {0}, masses = {0};

  Line(std::span<const float> weights, std::span<const float> counts) {
    std::vector<std::size_t> order(weights.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return weights[a] < weights[b]; });
    for (const std::size_t at : order) {
      values.push_back(static_cast<double>(weights[at]));
      importance.push_back(counts.empty() ? 1.0 : static_cast<double>(counts[at]));
      sums.push_back(sums.back() + importance.back() * values.back());
      masses.push_back(masses.back() + importance.back());
    }
  }
};

std::vector<double> linear_start(const Line& line, std::size_t count) {
  std::vector<double> centers;
  const double low = line.values.front(), high = line.values.back();
  for (std::size_t k = 0; k < count; ++k)
    centers.push_back(low + (high - low) * (count == 1 ? 0.5 : static_cast<double>(k) / static_cast<double>(count - 1)));
  return centers;
}

std::vector<double> density_start(const Line& line, std::size_t count) {
  std::vector<double> centers;
  for (std::size_t k = 0; k < count; ++k)
    centers.push_back(line.values[(2 * k + 1) * line.values.size() / (2 * count)]);
  return centers;
}

std::vector<double> random_start(const Line& line, std::size_t count, Rng& rng) {
  std::vector<double> centers, squares(line.values.size(), std::numeric_limits<double>::infinity());
  auto pick = static_cast<std::size_t>(rng.below(line.values.size()));
  while (centers.size() < count) {
    centers.push_back(line.values[pick]);
    double total = 0;
    for (std::size_t i = 0; i < squares.size(); ++i) {
      squares[i] = std::min(squares[i], line.importance[i] * std::pow(line.values[i] - centers.back(), 2));
      total += squares[i];
    }
    double left = rng.uniform() * total;
    for (pick = 0; pick + 1 < squares.size() && left >= squares[pick]; ++pick) left -= squares[pick];
  }
  std::sort(centers.begin(), centers.end());
  return centers;
}

/// Until no center moves. A center whose cluster is empty stays where it is; `fixed`, an index, never moves.
void iterate(const Line& line, std::vector<double>& centers, std::size_t fixed) {
  constexpr int kMost = 300;
  bool moved = true;
  for (int round = 0; round < kMost && moved; ++round) {
    moved = false;
    std::size_t begin = 0;
    std::vector<double> next = centers;
    for (std::size_t k = 0; k < centers.size(); ++k) {
      const std::size_t end =
          k + 1 == centers.size()
              ? line.values.size()
              : static_cast<std::size_t>(std::upper_bound(line.values.begin(), line.values.end(),
                                                          (centers[k] + centers[k + 1]) / 2) -
                                         line.values.begin());
      if (end > begin && k != fixed && line.masses[end] > line.masses[begin]) {
        next[k] = (line.sums[end] - line.sums[begin]) / (line.masses[end] - line.masses[begin]);
        moved |= next[k] != centers[k];
      }
      begin = std::max(begin, end);
    }
    centers = std::move(next);
    std::sort(centers.begin(), centers.end());
  }
}

std::vector<double> start_at(const Line& line, std::size_t count, std::string_view start, Rng& rng) {
  if (count == 0) return {};
  if (start == "linear") return linear_start(line, count);
  return start == "density" ? density_start(line, count) : random_start(line, count, rng);
}

std::vector<float> cluster(const Line& line, const LevelsRequest& request, std::string_view start) {
  const auto count = static_cast<std::size_t>(request.entries - (request.with_zero ? 1 : 0));
  std::vector<double> centers = start_at(line, count, start, request.rng);
  std::size_t fixed = centers.size() + 1;
  if (request.with_zero) {
    const auto at = std::lower_bound(centers.begin(), centers.end(), 0.0);
    fixed = static_cast<std::size_t>(at - centers.begin());
    centers.insert(at, 0.0);
  }
  iterate(line, centers, fixed);
  std::vector<float> levels(centers.begin(), centers.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  return levels;
}

double squared_error(const Line& line, const std::vector<float>& levels) {
  const LevelMap map(levels, false);
  double sum = 0;
  for (std::size_t i = 0; i < line.values.size(); ++i) {
    const double w = line.values[i];
    sum += line.importance[i] * std::pow(static_cast<double>(levels[map(static_cast<float>(w))]) - w, 2);
  }
  return sum;
}

std::vector<float> choose(const LevelsRequest& request) {
  if (request.weights.empty()) return {0};
  const Line line(request.weights, request.importance);
  if (request.start != "auto") return cluster(line, request, request.start);
  std::vector<float> best;
  double least = std::numeric_limits<double>::infinity();
  for (const std::string_view start : {"linear", "density", "random"}) {
    std::vector<float> levels = cluster(line, request, start);
    const double error = squared_error(line, levels);
    if (error < least) least = error, best = std::move(levels);
  }
  return best;
}

}  // namespace

const Levels& kmeans_levels() {
  static const Levels levels = {"kmeans", "centroids of the weights",
                                "Han, Mao & Dally, Deep Compression, 2016", choose};
  return levels;
}

}  // namespace pare::compress
