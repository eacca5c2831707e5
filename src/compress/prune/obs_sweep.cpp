// SparseGPT's pass over the columns (obs_rows.h): what stays makes up for what goes, panel by panel.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/linear_algebra.h"
#include "base/threads.h"
#include "compress/prune/obs_rows.h"

namespace pare::compress {
namespace {

struct Segment {
  std::size_t begin, end;
};

/// Columns whose zeros are chosen at once.
std::vector<Segment> segments_of(const ir::WeightView& view, const PruneRule& rule, std::int64_t block) {
  using Kind = ir::SparsityPattern::Kind;
  const Kind kind = rule.pattern.kind;
  // Groups and blocks never cross a tap.
  const std::int64_t period = kind == Kind::kUnstructured ? view.inputs * view.taps : view.inputs;
  const std::int64_t wide = rule.pattern.block_inputs;
  const std::int64_t step = kind == Kind::kBalanced ? rule.pattern.group : (block + wide - 1) / wide * wide;
  std::vector<Segment> segments;
  for (std::int64_t start = 0; start < view.inputs * view.taps; start += period)
    for (std::int64_t at = 0; at < period; at += step)
      segments.push_back(
          {static_cast<std::size_t>(start + at), static_cast<std::size_t>(start + std::min(at + step, period))});
  return segments;
}

class Sweep {
 public:
  Sweep(ObsRows& rows, const PruneRule& rule, std::span<const double> u, bool update)
      : rows_(rows), rule_(rule), u_(u), update_(update) {}

  /// Whole segments up to a panel's width, then all columns behind it at once by a product.
  void run(const std::vector<Segment>& segments) {
    constexpr std::size_t kPanel = 128;
    for (std::size_t s = 0; s < segments.size();) {
      Segment panel = segments[s];
      std::size_t last = s;
      while (last + 1 < segments.size() && segments[last + 1].end - panel.begin <= kPanel)
        panel.end = segments[++last].end;
      steps_.assign((panel.end - panel.begin) * rows_.count, 0.0);
      for (; s <= last; ++s) {
        choose(segments[s]);
        if (update_) eliminate(segments[s], panel);
      }
      if (update_) update_behind(panel);
    }
  }

 private:
  void choose(const Segment& segment) {
    switch (rule_.pattern.kind) {
      case ir::SparsityPattern::Kind::kBalanced:
        return choose_in_groups(segment);
      case ir::SparsityPattern::Kind::kBlocks:
        return choose_blocks(segment);
      case ir::SparsityPattern::Kind::kUnstructured:
        return choose_smallest(segment);
    }
  }

  /// What the output's squared error grows by when this weight goes; zeros that stay come first.
  double cost(std::size_t column, std::size_t row) const {
    const std::size_t at = rows_.at(column, row);
    if (rows_.gone[at]) return -1;
    const double step = rows_.weights[at] / u_[column * rows_.n + column];
    return step * step;
  }

  /// Indices of the rule's share of the lowest costs, of all or of each output's; one output's are `step` apart.
  std::vector<std::size_t> lowest(const std::vector<double>& costs, std::size_t step) const {
    const std::size_t parts = rule_.scope == PruneRule::Scope::kOutput ? rows_.count : 1, each = costs.size() / parts;
    const auto wanted = static_cast<std::ptrdiff_t>(std::llround(rule_.sparsity * static_cast<double>(each)));
    std::vector<std::size_t> order(each), picked;
    for (std::size_t part = 0; part < parts; ++part) {
      const std::size_t first = step == 1 ? part * each : part;
      for (std::size_t i = 0; i < each; ++i) order[i] = parts == 1 ? i : first + i * step;
      std::nth_element(order.begin(), order.begin() + wanted, order.end(), [&](std::size_t a, std::size_t b) {
        return costs[a] != costs[b] ? costs[a] < costs[b] : a < b;
      });
      picked.insert(picked.end(), order.begin(), order.begin() + wanted);
    }
    return picked;
  }

  /// The share `sparsity` of the rows' weights in these columns.
  void choose_smallest(const Segment& segment) {
    const std::size_t base = rows_.at(segment.begin, 0);
    std::vector<double> costs((segment.end - segment.begin) * rows_.count);
    for (std::size_t i = 0; i < costs.size(); ++i) costs[i] = cost((base + i) / rows_.count, (base + i) % rows_.count);
    for (std::size_t i : lowest(costs, rows_.count)) rows_.gone[base + i] = true;
  }

  /// A block of the rows: columns [column, column + wide), rows [row, row + tall).
  struct Patch {
    std::size_t column = 0, wide = 0, row = 0, tall = 0;
  };

  Patch patch_of(const ir::BlockGrid& grid, std::int64_t block, const Segment& segment) const {
    std::int64_t first = -1, last = 0;
    grid.for_each(block, [&](std::int64_t at) {
      if (first < 0) first = at;
      last = at;
    });
    const auto begin = static_cast<std::size_t>(first), end = static_cast<std::size_t>(last);
    return {segment.begin + begin / rows_.count, end / rows_.count - begin / rows_.count + 1, begin % rows_.count,
            end % rows_.count - begin % rows_.count + 1};
  }

  /// What a row's squared error grows by when the patch's columns go together, those behind making up for them:
  /// w_Bᵀ(H⁻¹_BB)⁻¹w_B = |z|² with U_BBᵀ·z = w_B, as H⁻¹ of the columns from the patch on is UᵀU of their rows and
  /// columns. Less what those cost alone that are gone anyway.
  double joint_cost(const Patch& patch, std::size_t row) const {
    const auto u = [&](std::size_t i, std::size_t j) { return u_[(patch.column + i) * rows_.n + patch.column + j]; };
    const auto weight = [&](std::size_t i) { return rows_.weights[rows_.at(patch.column + i, row)]; };
    std::vector<std::size_t> gone;
    std::vector<double> z(patch.wide);
    double cost = 0;
    for (std::size_t i = 0; i < patch.wide; ++i) {
      if (rows_.gone[rows_.at(patch.column + i, row)]) gone.push_back(i);
      z[i] = weight(i);
      for (std::size_t k = 0; k < i; ++k) z[i] -= u(k, i) * z[k];
      z[i] /= u(i, i);
      cost += z[i] * z[i];
    }
    if (gone.empty()) return cost;
    if (gone.size() == patch.wide) return 0;
    std::vector<double> inverse, right;
    for (std::size_t i : gone) {
      right.push_back(weight(i));
      for (std::size_t j : gone) {
        inverse.push_back(0);
        for (std::size_t k = 0; k <= std::min(i, j); ++k) inverse.back() += u(k, i) * u(k, j);
      }
    }
    const std::vector<double> solved = solve_positive(inverse, static_cast<std::int64_t>(gone.size()), right, 1);
    for (std::size_t i = 0; i < gone.size(); ++i) cost -= right[i] * solved[i];
    return std::max(0.0, cost);
  }

  /// The share `sparsity` of the blocks in these columns, by what they cost a weight.
  void choose_blocks(const Segment& segment) {
    const ir::WeightView part{.outputs = static_cast<std::int64_t>(rows_.count),
                              .inputs = static_cast<std::int64_t>(segment.end - segment.begin),
                              .output_stride = 1,
                              .input_stride = static_cast<std::int64_t>(rows_.count)};
    const ir::BlockGrid grid(part, rule_.pattern);
    std::vector<double> costs(static_cast<std::size_t>(grid.size()), 0.0);
    parallel_for(grid.size(), 64, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t block = first; block < last; ++block) {
        const Patch patch = patch_of(grid, block, segment);
        double& cost = costs[static_cast<std::size_t>(block)];
        for (std::size_t row = patch.row; row < patch.row + patch.tall; ++row) cost += joint_cost(patch, row);
        cost /= static_cast<double>(patch.wide * patch.tall);
      }
    });
    const std::size_t base = rows_.at(segment.begin, 0);
    for (std::size_t block : lowest(costs, 1))
      grid.for_each(static_cast<std::int64_t>(block),
                    [&](std::int64_t at) { rows_.gone[base + static_cast<std::size_t>(at)] = true; });
  }

  /// All but the dearest of each row.
  void choose_in_groups(const Segment& segment) {
    const auto size = static_cast<std::int64_t>(segment.end - segment.begin);
    const std::int64_t drop = size - std::min<std::int64_t>(size, rule_.pattern.survivors(size));
    parallel_for(static_cast<std::int64_t>(rows_.count), 16, [&](std::int64_t first, std::int64_t last) {
      std::vector<std::size_t> order(static_cast<std::size_t>(size));
      std::vector<double> costs(order.size());
      for (auto r = static_cast<std::size_t>(first); r < static_cast<std::size_t>(last); ++r) {
        std::iota(order.begin(), order.end(), std::size_t{0});
        for (std::size_t i = 0; i < costs.size(); ++i) costs[i] = cost(segment.begin + i, r);
        std::nth_element(order.begin(), order.begin() + drop, order.end(), [&](std::size_t a, std::size_t b) {
          return costs[a] != costs[b] ? costs[a] < costs[b] : a > b;
        });
        for (std::int64_t i = 0; i < drop; ++i)
          rows_.gone[rows_.at(segment.begin + order[static_cast<std::size_t>(i)], r)] = true;
      }
    });
  }

  /// Changes the panel's columns behind each that loses weights, and keeps the steps w/U for those behind the panel.
  void eliminate(const Segment& segment, const Segment& panel) {
    parallel_for(static_cast<std::int64_t>(rows_.count), 32, [&](std::int64_t begin, std::int64_t end) {
      const auto first = static_cast<std::size_t>(begin), last = static_cast<std::size_t>(end);
      for (std::size_t j = segment.begin; j < segment.end; ++j) {
        double* step = &steps_[(j - panel.begin) * rows_.count];
        const double own = u_[j * rows_.n + j];
        for (std::size_t r = first; r < last; ++r)
          step[r] = rows_.gone[rows_.at(j, r)] ? rows_.weights[rows_.at(j, r)] / own : 0;
        for (std::size_t k = j + 1; k < panel.end; ++k) {
          const double factor = u_[j * rows_.n + k];
          double* row = &rows_.weights[rows_.at(k, 0)];
          for (std::size_t r = first; r < last; ++r) row[r] -= step[r] * factor;
        }
      }
    });
  }

  void update_behind(const Segment& panel) {
    const auto n = static_cast<std::int64_t>(rows_.n), count = static_cast<std::int64_t>(rows_.count);
    const auto end = static_cast<std::int64_t>(panel.end), wide = static_cast<std::int64_t>(panel.end - panel.begin);
    if (end == n) return;
    subtract_product(&u_[panel.begin * rows_.n + panel.end], n, steps_.data(), count,
                     &rows_.weights[rows_.at(panel.end, 0)], count, n - end, count, wide);
  }

  ObsRows& rows_;
  const PruneRule& rule_;
  std::span<const double> u_;
  bool update_;
  std::vector<double> steps_;  ///< [column of the panel, row]
};

}  // namespace

void obs_sweep(ObsRows& rows, const PruneRule& rule, std::int64_t block, std::span<const double> u, bool update) {
  Sweep(rows, rule, u, update).run(segments_of(rows.view, rule, block));
}

}  // namespace pare::compress
