// ExactOBS (obs_rows.h): each row loses one weight after the other, always the one that costs least with all that are left
// making up for it.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <queue>

#include "base/linear_algebra.h"
#include "base/threads.h"
#include "compress/prune/obs_rows.h"

namespace pare::compress {
namespace {

/// The order in which a row loses its weights, and what each costs; zeros that must go come first and cost nothing.
struct Trace {
  std::vector<std::size_t> order;
  std::vector<double> cost;
};

class Row {
 public:
  Row(const ObsRows& rows, std::size_t row, const PruneRule& rule, const std::vector<double>& inverse)
      : n_(rows.n), rule_(rule), inverse_(inverse), alive_(n_, true), weights_(n_) {
    for (std::size_t j = 0; j < n_; ++j) weights_[j] = rows.weights[rows.at(j, row)];
    if (rule.pattern.kind == ir::SparsityPattern::Kind::kBalanced) {
      // Groups never cross a tap; a tail has a share of its own.
      const auto inputs = static_cast<std::size_t>(rows.view.inputs), wide = static_cast<std::size_t>(rule.pattern.group);
      for (std::size_t j = 0; j < n_; ++j) {
        const std::size_t tap = j / inputs, within = j % inputs / wide;
        group_.push_back(tap * ((inputs + wide - 1) / wide) + within);
        if (group_[j] < left_.size()) continue;
        const auto size = static_cast<std::int64_t>(std::min(wide, inputs - within * wide));
        left_.push_back(size - std::min<std::int64_t>(size, rule.pattern.survivors(size)));
      }
    }
    for (std::size_t j = 0; j < n_; ++j)
      if (rows.gone[rows.at(j, row)]) remove(j, 0);
  }

  Trace run(std::size_t most) {
    while (trace_.order.size() < most) {
      std::size_t best = n_;
      double least = std::numeric_limits<double>::infinity();
      for (std::size_t j = 0; j < n_; ++j) {
        if (!alive_[j] || (!group_.empty() && left_[group_[j]] <= 0)) continue;
        const double cost = weights_[j] * weights_[j] / inverse_[j * n_ + j];
        if (cost < least) least = cost, best = j;
      }
      if (best == n_) break;
      remove(best, least);
    }
    return std::move(trace_);
  }

 private:
  /// w ← w − H⁻¹_:p·w_p/H⁻¹_pp, and H⁻¹ without p (lemma 1 of the paper).
  void remove(std::size_t p, double cost) {
    trace_.order.push_back(p);
    trace_.cost.push_back(cost);
    if (!group_.empty()) --left_[group_[p]];
    const double own = inverse_[p * n_ + p], step = weights_[p] / own;
    const std::vector<double> line(inverse_.begin() + static_cast<std::ptrdiff_t>(p * n_),
                                   inverse_.begin() + static_cast<std::ptrdiff_t>((p + 1) * n_));
    alive_[p] = false;
    for (std::size_t j = 0; j < n_; ++j) {
      if (!alive_[j]) continue;
      weights_[j] -= step * line[j];
      const double factor = line[j] / own;
      double* to = &inverse_[j * n_];
      for (std::size_t k = 0; k < n_; ++k) to[k] -= factor * line[k];
    }
  }

  std::size_t n_;
  const PruneRule& rule_;
  std::vector<double> inverse_;
  std::vector<char> alive_;
  std::vector<double> weights_;
  std::vector<std::size_t> group_;  ///< by column, of a balanced pattern
  std::vector<std::int64_t> left_;  ///< by group: how many may still go
  Trace trace_;
};

/// How many each row loses when `wanted` go from all, always from the row whose next costs least (algorithm 2).
std::vector<std::size_t> share_out(const std::vector<Trace>& traces, std::size_t wanted) {
  using Next = std::pair<double, std::size_t>;
  std::priority_queue<Next, std::vector<Next>, std::greater<>> next;
  std::vector<std::size_t> counts(traces.size(), 0);
  const auto push = [&](std::size_t row) {
    if (counts[row] < traces[row].cost.size()) next.emplace(traces[row].cost[counts[row]], row);
  };
  for (std::size_t row = 0; row < traces.size(); ++row) push(row);
  for (std::size_t gone = 0; gone < wanted && !next.empty(); ++gone) {
    const std::size_t row = next.top().second;
    next.pop();
    ++counts[row];
    push(row);
  }
  return counts;
}

}  // namespace

void obs_exact(ObsRows& rows, const PruneRule& rule, const std::vector<double>& damped) {
  const std::vector<double> inverse = inverse_of_positive(damped, static_cast<std::int64_t>(rows.n));
  std::vector<Trace> traces(rows.count);
  std::atomic<std::size_t> next = 0;
  parallel_for(static_cast<std::int64_t>(rows.count), 1, [&](std::int64_t, std::int64_t) {
    for (std::size_t row = next++; row < rows.count; row = next++) traces[row] = Row(rows, row, rule, inverse).run(rows.n);
  });
  std::vector<std::size_t> counts;
  if (rule.pattern.kind == ir::SparsityPattern::Kind::kBalanced)
    for (const Trace& trace : traces) counts.push_back(trace.order.size());
  else
    counts = share_out(traces, static_cast<std::size_t>(
                                   std::llround(rule.sparsity * static_cast<double>(rows.n * rows.count))));
  for (std::size_t row = 0; row < rows.count; ++row)
    for (std::size_t i = 0; i < counts[row]; ++i) rows.gone[rows.at(traces[row].order[i], row)] = true;
}

}  // namespace pare::compress
