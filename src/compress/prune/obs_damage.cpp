// What zeros of a layer do to its output by themselves (obs_rows.h).
#include <algorithm>

#include "base/threads.h"
#include "compress/prune/obs_rows.h"

namespace pare::compress {
namespace {

/// The strips of rows that lose this block of columns together.
void damage_by_block(const ObsRows& rows, std::size_t tall, const std::vector<std::size_t>& columns,
                     std::span<const double> hessian, std::span<float> scores) {
  for (std::size_t first = 0; first < rows.count; first += tall) {
    const std::size_t end = std::min(first + tall, rows.count);
    double error = 0;
    for (std::size_t r = first; r < end; ++r)
      for (std::size_t i : columns)
        for (std::size_t j : columns)
          error += rows.weights[rows.at(i, r)] * hessian[i * rows.n + j] * rows.weights[rows.at(j, r)];
    const double each = std::max(0.0, error) / static_cast<double>((end - first) * columns.size());
    for (std::size_t r = first; r < end; ++r)
      for (std::size_t column : columns) scores[rows.element(column, r)] = static_cast<float>(each);
  }
}

}  // namespace

void obs_damage(const ObsRows& rows, const PruneRule& rule, std::span<const double> hessian, std::span<float> scores) {
  const std::vector<std::vector<std::size_t>> blocks = column_blocks(rows.view, rule.pattern);
  parallel_for(static_cast<std::int64_t>(blocks.size()), 8, [&](std::int64_t begin, std::int64_t end) {
    for (auto b = static_cast<std::size_t>(begin); b < static_cast<std::size_t>(end); ++b)
      damage_by_block(rows, static_cast<std::size_t>(rule.pattern.block_outputs), blocks[b], hessian, scores);
  });
}

}  // namespace pare::compress
