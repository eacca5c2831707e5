#include "compress/prune/selection.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace pare::compress {
namespace {

Tensor full_mask(const Tensor& weight) {
  Tensor mask(DType::kUint8, weight.dims());
  auto out = mask.mutable_data<std::uint8_t>();
  std::fill(out.begin(), out.end(), std::uint8_t{1});
  return mask;
}

/// Zeroes the masks of the `pruned` smallest magnitudes over all the targets given.
void prune_smallest(std::span<const PruneTarget> targets, std::span<Tensor> masks, std::int64_t pruned) {
  if (pruned <= 0) return;
  std::vector<float> magnitudes;
  for (const PruneTarget& target : targets)
    for (float weight : target.weight.data<float>()) magnitudes.push_back(std::fabs(weight));
  auto kth = magnitudes.begin() + static_cast<std::ptrdiff_t>(pruned - 1);
  std::nth_element(magnitudes.begin(), kth, magnitudes.end());
  const float limit = *kth;
  std::int64_t ties = pruned - std::count_if(magnitudes.begin(), kth + 1, [&](float m) { return m < limit; });
  for (std::size_t t = 0; t < targets.size(); ++t) {
    auto weights = targets[t].weight.data<float>();
    auto mask = masks[t].mutable_data<std::uint8_t>();
    for (std::size_t i = 0; i < weights.size(); ++i) {
      float magnitude = std::fabs(weights[i]);
      if (magnitude < limit || (magnitude == limit && ties-- > 0)) mask[i] = 0;
    }
  }
}

void prune_below(const PruneTarget& target, Tensor& mask, double threshold) {
  auto weights = target.weight.data<float>();
  auto out = mask.mutable_data<std::uint8_t>();
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (std::fabs(static_cast<double>(weights[i])) < threshold) out[i] = 0;
}

void prune_groups(const PruneTarget& target, Tensor& mask, const ir::SparsityPattern& pattern) {
  auto weights = target.weight.data<float>();
  auto out = mask.mutable_data<std::uint8_t>();
  const ir::WeightView& view = target.view;
  std::vector<std::int64_t> order(static_cast<std::size_t>(pattern.group));
  for (std::int64_t output = 0; output < view.outputs; ++output)
    for (std::int64_t tap = 0; tap < view.taps; ++tap)
      for (std::int64_t begin = 0; begin < view.inputs; begin += pattern.group) {
        const std::int64_t size = std::min<std::int64_t>(pattern.group, view.inputs - begin);
        for (std::int64_t i = 0; i < size; ++i) order[static_cast<std::size_t>(i)] = view.index(output, tap, begin + i);
        auto larger = [&](std::int64_t a, std::int64_t b) {
          float x = std::fabs(weights[static_cast<std::size_t>(a)]),
                y = std::fabs(weights[static_cast<std::size_t>(b)]);
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

std::int64_t zeros_wanted(std::int64_t elements, double sparsity) {
  return std::llround(sparsity * static_cast<double>(elements));
}

}  // namespace

double cubic_sparsity(double initial, double final, double t) {
  const double left = 1 - std::clamp(t, 0.0, 1.0);
  return final + (initial - final) * left * left * left;
}

int balanced_survivors(const ir::SparsityPattern& pattern, double t) {
  const double density = 1 - cubic_sparsity(0, 1 - static_cast<double>(pattern.q) / pattern.group, t);
  return std::clamp(static_cast<int>(std::lround(density * pattern.group)), pattern.q, pattern.group);
}

std::vector<Tensor> choose_masks(std::span<const PruneTarget> targets, const PruneRule& rule, double initial,
                                 double progress) {
  std::vector<Tensor> masks;
  std::int64_t elements = 0;
  for (const PruneTarget& target : targets) {
    masks.push_back(full_mask(target.weight));
    elements += target.weight.numel();
  }
  const bool balanced = rule.pattern.kind == ir::SparsityPattern::Kind::kBalanced;
  const double sparsity =
      balanced || rule.threshold ? 0 : cubic_sparsity(std::min(initial, rule.sparsity), rule.sparsity, progress);
  ir::SparsityPattern now = rule.pattern;
  if (balanced) now.q = balanced_survivors(rule.pattern, progress);
  if (!balanced && !rule.threshold && rule.global) prune_smallest(targets, masks, zeros_wanted(elements, sparsity));
  for (std::size_t t = 0; t < targets.size(); ++t) {
    if (balanced)
      prune_groups(targets[t], masks[t], now);
    else if (rule.threshold)
      prune_below(targets[t], masks[t], *rule.threshold);
    else if (!rule.global)
      prune_smallest(targets.subspan(t, 1), std::span(masks).subspan(t, 1),
                     zeros_wanted(targets[t].weight.numel(), sparsity));
    if (rule.keep_zeros) prune_existing_zeros(targets[t], masks[t]);
  }
  return masks;
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
