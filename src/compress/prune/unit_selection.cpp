#include "compress/prune/unit_selection.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pare::compress {
namespace {

/// Units kept of a group when `wanted` are, with the channels rounded up to a multiple.
std::int64_t rounded(const ir::ChannelGroup& group, std::int64_t wanted, std::int64_t multiple) {
  wanted = std::max<std::int64_t>(wanted, 1);
  while (wanted < group.units && wanted * group.block % multiple != 0) ++wanted;
  return std::min(wanted, group.units);
}

/// Largest score that goes when `gone` of all units do; negative: none.
double global_limit(const std::vector<std::vector<double>>& scores, std::int64_t gone) {
  std::vector<double> all;
  for (const auto& group : scores) all.insert(all.end(), group.begin(), group.end());
  if (gone <= 0) return -1;
  const std::ptrdiff_t last = std::min<std::ptrdiff_t>(gone, static_cast<std::ptrdiff_t>(all.size())) - 1;
  std::nth_element(all.begin(), all.begin() + last, all.end());
  return all[static_cast<std::size_t>(last)];
}

std::int64_t kept_above(const std::vector<double>& scores, double limit, bool inclusive, double least) {
  const std::int64_t above = std::count_if(scores.begin(), scores.end(),
                                           [&](double score) { return inclusive ? score >= limit : score > limit; });
  return std::max(above, static_cast<std::int64_t>(std::ceil(least)));
}

std::vector<std::int64_t> lowest(const std::vector<double>& scores, std::int64_t count) {
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return scores[static_cast<std::size_t>(a)] < scores[static_cast<std::size_t>(b)];
  });
  order.resize(static_cast<std::size_t>(count));
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace

RemovedUnits select_units(const std::vector<ir::ChannelGroup>& groups, const std::vector<std::vector<double>>& scores,
                          const UnitRule& rule) {
  const bool below = rule.threshold >= 0;
  const auto share = [](double ratio, std::int64_t of) {
    return static_cast<std::int64_t>(ratio * static_cast<double>(of));
  };
  const auto whole = [&](std::size_t g) { return rule.whole.empty() ? groups[g].units : rule.whole[g]; };
  std::int64_t all = 0, left = 0;
  for (std::size_t g = 0; g < groups.size(); ++g)
    if (!scores[g].empty()) all += whole(g), left += groups[g].units;
  const double limit =
      below ? rule.threshold : rule.global ? global_limit(scores, share(rule.ratio, all) - (all - left)) : 0;
  RemovedUnits removed(groups.size());
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (scores[g].empty()) continue;
    const ir::ChannelGroup& group = groups[g];
    const std::int64_t wanted =
        below || rule.global
            ? kept_above(scores[g], limit, below, (1 - rule.most) * static_cast<double>(whole(g)))
            : whole(g) - share(rule.ratio, whole(g));
    removed[g] = lowest(scores[g], group.units - rounded(group, wanted, rule.round_to));
  }
  return removed;
}

}  // namespace pare::compress
