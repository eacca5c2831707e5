#include "compress/prune/obs_update.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/linear_algebra.h"
#include "base/threads.h"
#include "compress/layerwise/hessian.h"
#include "pare/error.h"

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

/// The rows of one group of a layer, columns in the order of the Hessian.
class Rows {
 public:
  Rows(const PruneTarget& target, const PruneRule& rule, const ObsOptions& options, std::int64_t first,
       std::int64_t count, std::vector<double> u)
      : view_(target.view),
        rule_(rule),
        options_(options),
        first_(first),
        count_(static_cast<std::size_t>(count)),
        n_(static_cast<std::size_t>(view_.taps * view_.inputs)),
        u_(std::move(u)),
        weights_(n_ * count_),
        gone_(n_ * count_, false) {
    const auto values = target.weight.data<float>();
    for (std::size_t j = 0; j < n_; ++j)
      for (std::size_t r = 0; r < count_; ++r) {
        weights_[j * count_ + r] = static_cast<double>(values[element(r, j)]);
        gone_[j * count_ + r] = rule.keep_zeros && values[element(r, j)] == 0;
      }
  }

  void prune() {
    for (const Segment& segment : segments_of(view_, rule_, options_.block)) {
      switch (rule_.pattern.kind) {
        case ir::SparsityPattern::Kind::kBalanced:
          choose_in_groups(segment);
          break;
        case ir::SparsityPattern::Kind::kBlocks:
          choose_blocks(segment);
          break;
        case ir::SparsityPattern::Kind::kUnstructured:
          choose_smallest(segment);
      }
      constexpr std::int64_t kRows = 32;
      const auto count = static_cast<std::int64_t>(count_);
      parallel_for((count + kRows - 1) / kRows, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t part = begin; part < end; ++part)
          eliminate(segment, static_cast<std::size_t>(part * kRows),
                    static_cast<std::size_t>(std::min(count, (part + 1) * kRows)));
      });
    }
  }

  /// The least squares of each row's output over what stays, on the damped Hessian; `original`: [column, row].
  void refit(const std::vector<double>& damped, const std::vector<double>& original) {
    parallel_for(static_cast<std::int64_t>(count_), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) refit_row(damped, original, static_cast<std::size_t>(row));
    });
  }

  const std::vector<double>& weights() const { return weights_; }

  void write(std::span<float> out) const {
    for (std::size_t j = 0; j < n_; ++j)
      for (std::size_t r = 0; r < count_; ++r)
        out[element(r, j)] = gone_[j * count_ + r] ? 0.0f : static_cast<float>(weights_[j * count_ + r]);
  }

 private:
  std::size_t element(std::size_t row, std::size_t column) const {
    const auto c = static_cast<std::int64_t>(column);
    return static_cast<std::size_t>(
        view_.index(first_ + static_cast<std::int64_t>(row), c / view_.inputs, c % view_.inputs));
  }

  /// What the output's squared error grows by when this weight goes; zeros that stay come first.
  double cost(std::size_t column, std::size_t row) const {
    if (gone_[column * count_ + row]) return -1;
    const double step = weights_[column * count_ + row] / u_[column * n_ + column];
    return step * step;
  }

  /// The share `sparsity` of all rows' weights in these columns.
  void choose_smallest(const Segment& segment) {
    std::vector<std::size_t> order((segment.end - segment.begin) * count_);
    std::iota(order.begin(), order.end(), segment.begin * count_);
    std::vector<double> costs;
    costs.reserve(order.size());
    for (std::size_t at : order) costs.push_back(cost(at / count_, at % count_));
    const auto wanted = static_cast<std::ptrdiff_t>(std::llround(rule_.sparsity * static_cast<double>(order.size())));
    std::nth_element(order.begin(), order.begin() + wanted, order.end(), [&](std::size_t a, std::size_t b) {
      const double x = costs[a - segment.begin * count_], y = costs[b - segment.begin * count_];
      return x != y ? x < y : a < b;
    });
    for (std::ptrdiff_t i = 0; i < wanted; ++i) gone_[order[static_cast<std::size_t>(i)]] = true;
  }

  /// The share `sparsity` of the blocks in these columns, by what their weights cost on average.
  void choose_blocks(const Segment& segment) {
    const ir::WeightView part{.outputs = static_cast<std::int64_t>(count_),
                              .inputs = static_cast<std::int64_t>(segment.end - segment.begin),
                              .output_stride = 1,
                              .input_stride = static_cast<std::int64_t>(count_)};
    const ir::BlockGrid grid(part, rule_.pattern);
    const std::size_t base = segment.begin * count_;
    std::vector<double> costs;
    for (std::int64_t block = 0; block < grid.size(); ++block) {
      double sum = 0;
      int size = 0;
      grid.for_each(block, [&](std::int64_t at) {
        const std::size_t element = base + static_cast<std::size_t>(at);
        sum += std::max(0.0, cost(element / count_, element % count_));
        ++size;
      });
      costs.push_back(sum / size);
    }
    std::vector<std::size_t> order(costs.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto wanted = static_cast<std::ptrdiff_t>(std::llround(rule_.sparsity * static_cast<double>(order.size())));
    std::nth_element(order.begin(), order.begin() + wanted, order.end(), [&](std::size_t a, std::size_t b) {
      return costs[a] != costs[b] ? costs[a] < costs[b] : a < b;
    });
    for (std::ptrdiff_t i = 0; i < wanted; ++i)
      grid.for_each(static_cast<std::int64_t>(order[static_cast<std::size_t>(i)]),
                    [&](std::int64_t at) { gone_[base + static_cast<std::size_t>(at)] = true; });
  }

  /// All but the dearest of each row.
  void choose_in_groups(const Segment& segment) {
    const auto size = static_cast<std::int64_t>(segment.end - segment.begin);
    const std::int64_t drop = size - std::min<std::int64_t>(size, rule_.pattern.survivors(size));
    std::vector<std::size_t> order(static_cast<std::size_t>(size));
    for (std::size_t r = 0; r < count_; ++r) {
      std::iota(order.begin(), order.end(), segment.begin);
      std::nth_element(order.begin(), order.begin() + drop, order.end(), [&](std::size_t a, std::size_t b) {
        const double x = cost(a, r), y = cost(b, r);
        return x != y ? x < y : a > b;
      });
      for (std::int64_t i = 0; i < drop; ++i) gone_[order[static_cast<std::size_t>(i)] * count_ + r] = true;
    }
  }

  void refit_row(const std::vector<double>& damped, const std::vector<double>& original, std::size_t row) {
    std::vector<std::size_t> stay;
    for (std::size_t j = 0; j < n_; ++j)
      if (!gone_[j * count_ + row]) stay.push_back(j);
    const std::size_t size = stay.size();
    std::vector<double> matrix(size * size), right(size, 0.0), whole(n_);
    for (std::size_t j = 0; j < n_; ++j) whole[j] = original[j * count_ + row];
    for (std::size_t i = 0; i < size; ++i) {
      const double* line = &damped[stay[i] * n_];
      for (std::size_t k = 0; k < size; ++k) matrix[i * size + k] = line[stay[k]];
      for (std::size_t j = 0; j < n_; ++j) right[i] += line[j] * whole[j];
    }
    const std::vector<double> best =
        solve_positive(std::move(matrix), static_cast<std::int64_t>(size), std::move(right), 1);
    for (std::size_t i = 0; i < size; ++i) weights_[stay[i] * count_ + row] = best[i];
  }

  void eliminate(const Segment& segment, std::size_t first, std::size_t last) {
    if (!options_.update) return;
    std::vector<double> off(last - first);
    for (std::size_t j = segment.begin; j < segment.end; ++j) {
      for (std::size_t r = first; r < last; ++r)
        off[r - first] = gone_[j * count_ + r] ? weights_[j * count_ + r] / u_[j * n_ + j] : 0;
      for (std::size_t k = j + 1; k < n_; ++k) {
        const double factor = u_[j * n_ + k];
        double* row = &weights_[k * count_];
        for (std::size_t r = first; r < last; ++r) row[r] -= off[r - first] * factor;
      }
    }
  }

  const ir::WeightView& view_;
  const PruneRule& rule_;
  const ObsOptions& options_;
  std::int64_t first_;
  std::size_t count_, n_;
  std::vector<double> u_, weights_;  ///< weights_: [column, row]
  std::vector<char> gone_;
};

}  // namespace

Tensor obs_prune(const PruneTarget& target, const PruneRule& rule, std::span<const double> hessian, std::int64_t groups,
                 const ObsOptions& options) {
  const auto n = static_cast<std::size_t>(target.view.taps * target.view.inputs);
  if (hessian.size() != n * n * static_cast<std::size_t>(groups))
    throw Error(ErrorCode::kInternal, target.name, "the Hessian has another size",
                std::to_string(n * n * static_cast<std::size_t>(groups)), std::to_string(hessian.size()));
  Tensor out = target.weight.clone();
  const std::int64_t each = target.view.outputs / groups;
  if (groups > 1 && each % rule.pattern.block_outputs != 0)
    throw Error(ErrorCode::kUnsupported, target.name,
                "a block of " + rule.pattern.to_string() + " would cross the groups of the convolution",
                "a multiple of " + std::to_string(rule.pattern.block_outputs) + " outputs a group",
                std::to_string(each));
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::vector<double> damped =
        damped_hessian(hessian.subspan(static_cast<std::size_t>(g) * n * n, n * n), n, options.damping);
    Rows rows(target, rule, options, g * each, each, cholesky_of_inverse(damped, static_cast<std::int64_t>(n)));
    const std::vector<double> original = rows.weights();
    rows.prune();
    if (options.update && options.refit) rows.refit(damped, original);
    rows.write(out.mutable_data<float>());
  }
  return out;
}

}  // namespace pare::compress
