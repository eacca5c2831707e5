// ExactOBS (obs_rows.h): each row loses one weight after the other, always the one that costs least with all that are
// left making up for it; or a strip of rows one block after the other.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <queue>

#include "base/threads.h"
#include "compress/prune/obs_rows.h"

namespace pare::compress {
namespace {

/// The order in which a strip loses its blocks, and what each costs a weight; those that are gone at the begin come
/// first and cost nothing.
struct Trace {
  std::vector<std::size_t> order;
  std::vector<double> cost;
};

/// Rows that lose the same blocks.
class Strip {
 public:
  Strip(const ObsRows& rows, std::size_t first, std::size_t count, const PruneRule& rule,
        const std::vector<std::vector<std::size_t>>& blocks, const std::vector<double>& inverse)
      : n_(rows.n), blocks_(blocks), left_blocks_(blocks.size(), true), rows_(count) {
    bool alike = true;
    for (std::size_t r = 0; r < count; ++r)
      for (std::size_t j = 0; j < n_; ++j) {
        rows_[r].weights.push_back(rows.weights[rows.at(j, first + r)]);
        alike = alike && !rows.gone[rows.at(j, first + r)];
      }
    inverses_.assign(alike ? 1 : count, inverse);
    for (std::size_t r = 0; r < count; ++r) rows_[r].alive.assign(n_, true);
    if (rule.pattern.kind == ir::SparsityPattern::Kind::kBalanced) count_groups(rows.view, rule);
    for (std::size_t r = 0; r < count && !alike; ++r)
      for (std::size_t j = 0; j < n_; ++j)
        if (rows.gone[rows.at(j, first + r)]) remove_weight(r, j);
    for (std::size_t b = 0; b < blocks_.size(); ++b)
      if (alive_in(b) == 0) note(b, 0);
  }

  Trace run() {
    for (;;) {
      std::size_t best = blocks_.size();
      double least = std::numeric_limits<double>::infinity();
      for (std::size_t b = 0; b < blocks_.size(); ++b) {
        if (!left_blocks_[b] || (!group_.empty() && left_[group_[b]] <= 0)) continue;
        const double cost = cost_of(b);
        if (cost < least) least = cost, best = b;
      }
      if (best == blocks_.size()) return std::move(trace_);
      note(best, least);
      remove_block(best);
    }
  }

 private:
  struct Row {
    std::vector<double> weights;
    std::vector<char> alive;
  };

  /// Groups of a balanced pattern never cross a tap; a tail has a share of its own.
  void count_groups(const ir::WeightView& view, const PruneRule& rule) {
    const auto inputs = static_cast<std::size_t>(view.inputs), wide = static_cast<std::size_t>(rule.pattern.group);
    for (std::size_t j = 0; j < n_; ++j) {
      const std::size_t tap = j / inputs, within = j % inputs / wide;
      group_.push_back(tap * ((inputs + wide - 1) / wide) + within);
      if (group_[j] < left_.size()) continue;
      const auto size = static_cast<std::int64_t>(std::min(wide, inputs - within * wide));
      left_.push_back(size - std::min<std::int64_t>(size, rule.pattern.survivors(size)));
    }
  }

  std::vector<double>& inverse_of(std::size_t row) { return inverses_[inverses_.size() == 1 ? 0 : row]; }

  std::size_t alive_in(std::size_t block) const {
    std::size_t count = 0;
    for (const Row& row : rows_)
      for (std::size_t j : blocks_[block]) count += row.alive[j] ? 1 : 0;
    return count;
  }

  void note(std::size_t block, double cost) {
    trace_.order.push_back(block);
    trace_.cost.push_back(cost);
    left_blocks_[block] = false;
    if (!group_.empty()) --left_[group_[block]];
  }

  /// w_Bᵀ(H⁻¹_BB)⁻¹w_B over what is left of the block in each row, a weight.
  double cost_of(std::size_t block) {
    double sum = 0;
    std::size_t size = 0;
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      picked_.clear();
      for (std::size_t j : blocks_[block])
        if (rows_[r].alive[j]) picked_.push_back(j);
      sum += joint_cost(inverse_of(r), rows_[r].weights);
      size += picked_.size();
    }
    return sum / static_cast<double>(std::max<std::size_t>(size, 1));
  }

  /// wᵀM⁻¹w = |L⁻¹w|² of M = L·Lᵀ, the inverse Hessian on what is picked.
  double joint_cost(const std::vector<double>& inverse, const std::vector<double>& weights) {
    const std::size_t size = picked_.size();
    if (size == 1) return weights[picked_[0]] * weights[picked_[0]] / inverse[picked_[0] * n_ + picked_[0]];
    factor_.resize(size * size);
    solved_.resize(size);
    double cost = 0;
    for (std::size_t i = 0; i < size; ++i) {
      double rest = weights[picked_[i]];
      for (std::size_t k = 0; k <= i; ++k) {
        double entry = inverse[picked_[i] * n_ + picked_[k]];
        for (std::size_t m = 0; m < k; ++m) entry -= factor_[i * size + m] * factor_[k * size + m];
        if (k < i)
          rest -= (factor_[i * size + k] = entry / factor_[k * size + k]) * solved_[k];
        else
          factor_[i * size + i] = std::sqrt(std::max(entry, std::numeric_limits<double>::min()));
      }
      solved_[i] = rest / factor_[i * size + i];
      cost += solved_[i] * solved_[i];
    }
    return cost;
  }

  /// One weight after the other: the same as all at once.
  void remove_block(std::size_t block) {
    for (std::size_t j : blocks_[block])
      if (inverses_.size() == 1)
        remove_column(j);
      else
        for (std::size_t r = 0; r < rows_.size(); ++r)
          if (rows_[r].alive[j]) remove_weight(r, j);
  }

  void remove_column(std::size_t p) {
    for (Row& row : rows_) make_up(row, p, inverses_[0]);
    shrink(inverses_[0], p, rows_[0].alive);
  }

  void remove_weight(std::size_t row, std::size_t p) {
    make_up(rows_[row], p, inverse_of(row));
    shrink(inverse_of(row), p, rows_[row].alive);
  }

  /// w ← w − H⁻¹_:p·w_p/H⁻¹_pp.
  void make_up(Row& row, std::size_t p, const std::vector<double>& inverse) {
    const double* line = &inverse[p * n_];
    const double step = row.weights[p] / line[p];
    row.alive[p] = false;
    for (std::size_t j = 0; j < n_; ++j)
      if (row.alive[j]) row.weights[j] -= step * line[j];
  }

  /// H⁻¹ without p (lemma 1 of the paper).
  void shrink(std::vector<double>& inverse, std::size_t p, const std::vector<char>& alive) {
    const auto begin = inverse.begin() + static_cast<std::ptrdiff_t>(p * n_);
    line_.assign(begin, begin + static_cast<std::ptrdiff_t>(n_));
    for (std::size_t j = 0; j < n_; ++j) {
      if (!alive[j]) continue;
      const double factor = line_[j] / line_[p];
      double* to = &inverse[j * n_];
      for (std::size_t k = 0; k < n_; ++k) to[k] -= factor * line_[k];
    }
  }

  std::size_t n_;
  const std::vector<std::vector<std::size_t>>& blocks_;
  std::vector<char> left_blocks_;
  std::vector<Row> rows_;
  std::vector<std::vector<double>> inverses_;  ///< one for all rows while they have lost the same, or one each
  std::vector<std::size_t> group_;             ///< by column, of a balanced pattern
  std::vector<std::int64_t> left_;             ///< by group: how many may still go
  std::vector<std::size_t> picked_;
  std::vector<double> factor_, solved_, line_;
  Trace trace_;
};

/// How many each strip loses when `wanted` go from all, always from the one whose next costs least (algorithm 2).
std::vector<std::size_t> share_out(const std::vector<Trace>& traces, std::size_t wanted) {
  using Next = std::pair<double, std::size_t>;
  std::priority_queue<Next, std::vector<Next>, std::greater<>> next;
  std::vector<std::size_t> counts(traces.size(), 0);
  const auto push = [&](std::size_t strip) {
    if (counts[strip] < traces[strip].cost.size()) next.emplace(traces[strip].cost[counts[strip]], strip);
  };
  for (std::size_t strip = 0; strip < traces.size(); ++strip) push(strip);
  for (std::size_t gone = 0; gone < wanted && !next.empty(); ++gone) {
    const std::size_t strip = next.top().second;
    next.pop();
    ++counts[strip];
    push(strip);
  }
  return counts;
}

}  // namespace

void obs_exact(ObsRows& rows, const PruneRule& rule, const std::vector<double>& inverse) {
  const auto tall = static_cast<std::size_t>(rule.pattern.block_outputs);
  const std::vector<std::vector<std::size_t>> blocks = column_blocks(rows.view, rule.pattern);
  std::vector<Trace> traces((rows.count + tall - 1) / tall);
  const auto size_of = [&](std::size_t strip) { return std::min(tall, rows.count - strip * tall); };
  std::atomic<std::size_t> next = 0;
  parallel_for(static_cast<std::int64_t>(traces.size()), 1, [&](std::int64_t, std::int64_t) {
    for (std::size_t s = next++; s < traces.size(); s = next++)
      traces[s] = Strip(rows, s * tall, size_of(s), rule, blocks, inverse).run();
  });
  std::vector<std::size_t> counts;
  if (rule.pattern.kind == ir::SparsityPattern::Kind::kBalanced)
    for (const Trace& trace : traces) counts.push_back(trace.order.size());
  else if (rule.scope == PruneRule::Scope::kOutput)
    counts.assign(traces.size(),
                  static_cast<std::size_t>(std::llround(rule.sparsity * static_cast<double>(blocks.size()))));
  else
    counts = share_out(traces, static_cast<std::size_t>(
                                   std::llround(rule.sparsity * static_cast<double>(blocks.size() * traces.size()))));
  for (std::size_t s = 0; s < traces.size(); ++s)
    for (std::size_t i = 0; i < counts[s]; ++i)
      for (std::size_t j : blocks[traces[s].order[i]])
        for (std::size_t r = 0; r < size_of(s); ++r) rows.gone[rows.at(j, s * tall + r)] = true;
}

}  // namespace pare::compress
