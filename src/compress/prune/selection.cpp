#include "compress/prune/selection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace pare::compress {
namespace {

using Kind = ir::SparsityPattern::Kind;

Tensor full_mask(const Tensor& weight) {
  Tensor mask(DType::kUint8, weight.dims());
  auto out = mask.mutable_data<std::uint8_t>();
  std::fill(out.begin(), out.end(), std::uint8_t{1});
  return mask;
}

std::vector<float> scores_of(const PruneTarget& target) {
  if (!target.scores.empty()) return target.scores;
  const auto weights = target.weight.data<float>();
  std::vector<float> magnitudes(weights.size());
  std::transform(weights.begin(), weights.end(), magnitudes.begin(), [](float w) { return std::fabs(w); });
  return magnitudes;
}

/// A block scores the mean of its elements.
std::vector<float> block_means(const ir::BlockGrid& grid, const std::vector<float>& scores) {
  std::vector<float> means(static_cast<std::size_t>(grid.size()));
  for (std::size_t block = 0; block < means.size(); ++block) {
    double sum = 0;
    int count = 0;
    grid.for_each(static_cast<std::int64_t>(block), [&](std::int64_t at) {
      sum += static_cast<double>(scores[static_cast<std::size_t>(at)]);
      ++count;
    });
    means[block] = static_cast<float>(sum / count);
  }
  return means;
}

/// The positions of the `pruned` smallest of the scores; of equal ones the earlier.
std::vector<char> smallest(const std::vector<float>& scores, std::int64_t pruned) {
  std::vector<char> gone(scores.size(), 0);
  if (pruned <= 0) return gone;
  std::vector<float> sorted = scores;
  const auto kth = sorted.begin() + static_cast<std::ptrdiff_t>(pruned - 1);
  std::nth_element(sorted.begin(), kth, sorted.end());
  const float limit = *kth;
  std::int64_t ties = pruned - std::count_if(sorted.begin(), kth + 1, [&](float score) { return score < limit; });
  for (std::size_t i = 0; i < scores.size(); ++i) gone[i] = scores[i] < limit || (scores[i] == limit && ties-- > 0);
  return gone;
}

std::int64_t share(std::size_t count, double sparsity) { return std::llround(sparsity * static_cast<double>(count)); }

/// Like smallest(), the share `sparsity` of each output channel's.
std::vector<char> smallest_by_output(const std::vector<float>& scores, const PruneTarget& target, const PruneRule& rule,
                                     double sparsity) {
  const ir::WeightView& view = target.view;
  std::vector<char> gone(scores.size(), 0);
  const std::size_t rows = static_cast<std::size_t>(view.outputs);
  const auto members = [&](std::size_t row) {
    std::vector<std::size_t> list;
    if (rule.pattern.kind == Kind::kBlocks) {
      const std::size_t each = scores.size() / rows;  // blocks of one output lie together
      list.resize(each);
      std::iota(list.begin(), list.end(), row * each);
      return list;
    }
    for (std::int64_t tap = 0; tap < view.taps; ++tap)
      for (std::int64_t input = 0; input < view.inputs; ++input)
        list.push_back(static_cast<std::size_t>(view.index(static_cast<std::int64_t>(row), tap, input)));
    return list;
  };
  for (std::size_t row = 0; row < rows; ++row) {
    const std::vector<std::size_t> list = members(row);
    std::vector<float> own;
    for (std::size_t at : list) own.push_back(scores[at]);
    const std::vector<char> picked = smallest(own, share(list.size(), sparsity));
    for (std::size_t i = 0; i < list.size(); ++i) gone[list[i]] = picked[i];
  }
  return gone;
}

void zero_out(const PruneTarget& target, const PruneRule& rule, std::span<const char> gone, Tensor& mask) {
  auto out = mask.mutable_data<std::uint8_t>();
  if (rule.pattern.kind != Kind::kBlocks) {
    for (std::size_t i = 0; i < gone.size(); ++i)
      if (gone[i]) out[i] = 0;
    return;
  }
  const ir::BlockGrid grid(target.view, rule.pattern);
  for (std::size_t block = 0; block < gone.size(); ++block)
    if (gone[block])
      grid.for_each(static_cast<std::int64_t>(block), [&](std::int64_t at) { out[static_cast<std::size_t>(at)] = 0; });
}

void prune_groups(const PruneTarget& target, Tensor& mask, const ir::SparsityPattern& pattern) {
  const std::vector<float> scores = scores_of(target);
  auto out = mask.mutable_data<std::uint8_t>();
  const ir::WeightView& view = target.view;
  std::vector<std::int64_t> order(static_cast<std::size_t>(pattern.group));
  for (std::int64_t output = 0; output < view.outputs; ++output)
    for (std::int64_t tap = 0; tap < view.taps; ++tap)
      for (std::int64_t begin = 0; begin < view.inputs; begin += pattern.group) {
        const std::int64_t size = std::min<std::int64_t>(pattern.group, view.inputs - begin);
        for (std::int64_t i = 0; i < size; ++i) order[static_cast<std::size_t>(i)] = view.index(output, tap, begin + i);
        auto larger = [&](std::int64_t a, std::int64_t b) {
          const float x = scores[static_cast<std::size_t>(a)], y = scores[static_cast<std::size_t>(b)];
          return x != y ? x > y : a < b;
        };
        const std::int64_t keep = std::min<std::int64_t>(size, pattern.survivors(size));
        std::nth_element(order.begin(), order.begin() + keep, order.begin() + size, larger);
        for (std::int64_t i = keep; i < size; ++i)
          out[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] = 0;
      }
}

void prune_existing_zeros(const PruneTarget& target, Tensor& mask) {
  auto weights = target.weight.data<float>();
  auto out = mask.mutable_data<std::uint8_t>();
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (weights[i] == 0) out[i] = 0;
}

/// What must not go, although its rank says so, scores this.
constexpr float kStays = std::numeric_limits<float>::infinity();

/// All but the share `most` of the smallest scores stay.
void protect_greatest(std::vector<float>& scores, double most) {
  const auto may = static_cast<std::int64_t>(most * static_cast<double>(scores.size()));
  if (may >= static_cast<std::int64_t>(scores.size())) return;
  const std::vector<char> free = smallest(scores, may);
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (!free[i]) scores[i] = kStays;
}

/// Unstructured and blocks: by target, the candidates (weights or blocks) of the smallest scores, which go.
std::vector<std::vector<char>> ranked_away(std::span<const PruneTarget> targets, const PruneRule& rule,
                                           double sparsity) {
  const bool global = rule.scope == PruneRule::Scope::kGlobal && !rule.threshold;
  std::vector<std::vector<float>> scores;
  std::vector<float> all;
  for (const PruneTarget& target : targets) {
    scores.push_back(scores_of(target));
    if (rule.pattern.kind == Kind::kBlocks)
      scores.back() = block_means(ir::BlockGrid(target.view, rule.pattern), scores.back());
    if (global || rule.threshold) protect_greatest(scores.back(), rule.most);
    if (global) all.insert(all.end(), scores.back().begin(), scores.back().end());
  }
  const std::vector<char> of_all = smallest(all, share(all.size(), sparsity));
  std::vector<std::vector<char>> gone;
  std::size_t at = 0;
  for (std::size_t t = 0; t < targets.size(); ++t) {
    const std::size_t count = scores[t].size();
    gone.emplace_back(count, 0);
    if (rule.threshold)
      std::transform(scores[t].begin(), scores[t].end(), gone[t].begin(),
                     [&](float score) { return static_cast<double>(score) < *rule.threshold; });
    else if (global)
      std::copy_n(of_all.begin() + static_cast<std::ptrdiff_t>(at), count, gone[t].begin());
    else if (rule.scope == PruneRule::Scope::kOutput)
      gone[t] = smallest_by_output(scores[t], targets[t], rule, sparsity);
    else
      gone[t] = smallest(scores[t], share(count, sparsity));
    at += count;
  }
  return gone;
}

}  // namespace

int balanced_survivors(const ir::SparsityPattern& pattern, double t, SparsityCurve curve) {
  const double density = 1 - curve(0, 1 - static_cast<double>(pattern.q) / pattern.group, t);
  return std::clamp(static_cast<int>(std::lround(density * pattern.group)), pattern.q, pattern.group);
}

std::vector<Tensor> choose_masks(std::span<const PruneTarget> targets, const PruneRule& rule, double initial,
                                 double progress) {
  std::vector<Tensor> masks;
  for (const PruneTarget& target : targets) masks.push_back(full_mask(target.weight));
  if (rule.pattern.kind == Kind::kBalanced) {
    ir::SparsityPattern now = rule.pattern;
    now.q = balanced_survivors(rule.pattern, progress, rule.curve);
    for (std::size_t t = 0; t < targets.size(); ++t) prune_groups(targets[t], masks[t], now);
  } else {
    const double sparsity = rule.curve(std::min(initial, rule.sparsity), rule.sparsity, progress);
    const auto gone = ranked_away(targets, rule, sparsity);
    for (std::size_t t = 0; t < targets.size(); ++t) zero_out(targets[t], rule, gone[t], masks[t]);
  }
  for (std::size_t t = 0; t < targets.size(); ++t)
    if (rule.keep_zeros) prune_existing_zeros(targets[t], masks[t]);
  return masks;
}

std::vector<double> shares_by_rank(std::span<const PruneTarget> targets, const PruneRule& rule) {
  std::vector<double> shares;
  for (const std::vector<char>& gone : ranked_away(targets, rule, rule.sparsity))
    shares.push_back(static_cast<double>(std::count(gone.begin(), gone.end(), 1)) /
                     static_cast<double>(std::max<std::size_t>(gone.size(), 1)));
  return shares;
}

double masked_fraction(std::span<const Tensor> masks) {
  std::int64_t zeros = 0, all = 0;
  for (const Tensor& mask : masks) {
    auto bits = mask.data<std::uint8_t>();
    zeros += std::count(bits.begin(), bits.end(), std::uint8_t{0});
    all += mask.numel();
  }
  return all ? static_cast<double>(zeros) / static_cast<double>(all) : 0;
}

double zero_fraction(std::span<const PruneTarget> targets) {
  std::int64_t zeros = 0, all = 0;
  for (const PruneTarget& target : targets) {
    auto weights = target.weight.data<float>();
    zeros += std::count(weights.begin(), weights.end(), 0.0f);
    all += target.weight.numel();
  }
  return all ? static_cast<double>(zeros) / static_cast<double>(all) : 0;
}

}  // namespace pare::compress
