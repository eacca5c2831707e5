#include "kernels/spconv/windows.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "kernels/spconv/tile.h"

namespace pare::kernels {
namespace {

/// What a window costs beside its slots, in these (by spconv_bench): a load that crosses lines of the cache is hidden
/// behind two slots, not behind one.
double window_cost(const ConvShape& s, const SpSurvivors& survivors, std::int64_t start,
                   const SpConvPlan& plan) noexcept {
  constexpr double kAligned = 0.1, kCrossing = 0.3, kOneSlot = 0.55, kMasked = 1;
  if (survivors.length() < kSpConvWindow) return kMasked;
  const bool aligned = s.in_c % kSpConvWindow == 0 && start % kSpConvWindow == 0;
  return (aligned ? kAligned : kCrossing) + (plan.each == 1 ? kOneSlot : 0);
}

std::int64_t span_end(const ConvShape& s, std::int64_t span) noexcept {
  return std::min<std::int64_t>((span + 1) * kSpConvSpan, s.out_c);
}

/// Of all windows of a span; where they have unequally many slots, branches are mispredicted.
double span_cost(const ConvShape& s, const SpSurvivors& survivors, std::int64_t span, const SpConvPlan& plan) {
  constexpr double kUnequal = 0.3;
  const std::int64_t first = span * kSpConvSpan;
  std::vector<std::int64_t> channels(static_cast<std::size_t>(span_end(s, span) - first));
  std::iota(channels.begin(), channels.end(), first);
  if (plan.ordered) {
    const std::vector<std::uint8_t> order = spconv_order(s, survivors, span);
    for (std::size_t c = 0; c < channels.size(); ++c) channels[c] = first + order[c];
  }
  double cost = 0, count = 0;
  int least = kSpConvWindow, most = 0;
  for (std::size_t c = 0; c < channels.size(); c += kSpConvChannels) {
    const auto block = std::span(channels).subspan(c, std::min<std::size_t>(kSpConvChannels, channels.size() - c));
    for (std::int64_t line = 0; line < survivors.lines(); ++line)
      for (SpWindows windows(survivors, block, line, plan); windows.next(); ++count) {
        cost += windows.slots() + window_cost(s, survivors, windows.start(), plan);
        least = std::min(least, windows.slots()), most = std::max(most, windows.slots());
      }
  }
  return cost + (least < most ? kUnequal * count : 0);
}

/// Which spans a plan looks at.
std::vector<std::int64_t> sampled_spans(const ConvShape& s) {
  constexpr std::int64_t kSampled = 4;
  const std::int64_t spans = (s.out_c + kSpConvSpan - 1) / kSpConvSpan, count = std::min(spans, kSampled);
  std::vector<std::int64_t> sampled;
  for (std::int64_t i = 0; i < count; ++i) sampled.push_back(i * spans / count);
  return sampled;
}

}  // namespace

std::int64_t spconv_line_taps(const ConvShape& s) noexcept { return s.dilation_w == 1 ? s.kw : 1; }

SpSurvivors::SpSurvivors(const ConvShape& s, const QConvFilter& filter, std::int64_t first, std::int64_t end)
    : lines_(s.taps() / spconv_line_taps(s)), length_(spconv_line_taps(s) * s.in_c), first_(first) {
  const auto* weights = static_cast<const std::int8_t*>(filter.data);
  begins_.reserve(static_cast<std::size_t>((end - first) * lines_ + 1));
  for (std::int64_t o = first; o < end; ++o)
    for (std::int64_t tap = 0; tap < s.taps(); ++tap) {
      const std::int64_t within = tap % spconv_line_taps(s);
      if (within == 0) begins_.push_back(all_.size());
      const std::int8_t* from =
          weights + o * filter.strides.o + tap / s.kw * filter.strides.y + tap % s.kw * filter.strides.x;
      for (std::int64_t i = 0; i < s.in_c; ++i)
        if (const std::int8_t w = from[i * filter.strides.i]; w != 0)
          all_.push_back({static_cast<std::int32_t>(within * s.in_c + i), w});
    }
  begins_.push_back(all_.size());
}

std::span<const SpSurvivor> SpSurvivors::all_of(std::int64_t channel) const noexcept {
  const auto at = static_cast<std::size_t>((channel - first_) * lines_);
  return std::span(all_).subspan(begins_[at], begins_[at + static_cast<std::size_t>(lines_)] - begins_[at]);
}

std::int32_t SpSurvivors::sum(std::int64_t channel) const noexcept {
  std::int32_t sum = 0;
  for (const SpSurvivor& survivor : all_of(channel)) sum += survivor.weight;
  return sum;
}

SpWindows::SpWindows(const SpSurvivors& survivors, std::span<const std::int64_t> channels, std::int64_t line,
                     const SpConvPlan& plan)
    : length_(survivors.length()), sliding_(plan.sliding), each_(plan.each), taken_(channels.size()) {
  for (const std::int64_t channel : channels) rest_.push_back(survivors.of(channel, line));
}

/// How many of the next weights a window takes.
std::size_t SpWindows::reach(std::span<const SpSurvivor> rest, std::int64_t start) const noexcept {
  const std::size_t most = std::min<std::size_t>(rest.size(), each_ == 0 ? kSpConvWindow : 4 * each_);
  std::size_t n = 0;
  while (n < most && rest[n].at < start + kSpConvWindow) ++n;
  return n;
}

bool SpWindows::next() {
  std::int64_t first = length_;
  for (const auto& rest : rest_)
    if (!rest.empty()) first = std::min<std::int64_t>(first, rest[0].at);
  if (first == length_) return false;
  // Where it takes the same from the last multiple of 64 on, no load crosses lines of the cache.
  const std::int64_t aligned = first / kSpConvWindow * kSpConvWindow;
  const bool same = !sliding_ || std::all_of(rest_.begin(), rest_.end(), [&](const auto& rest) {
    return reach(rest, first) == reach(rest, aligned);
  });
  start_ = std::min(same ? aligned : first, std::max<std::int64_t>(length_ - kSpConvWindow, 0));
  slots_ = each_;
  for (std::size_t place = 0; place < rest_.size(); ++place) {
    const std::size_t n = reach(rest_[place], start_);
    if (each_ == 0) slots_ = std::max(slots_, static_cast<int>(n + 3) / 4);
    taken_[place] = rest_[place].first(n);
    rest_[place] = rest_[place].subspan(n);
  }
  return true;
}

SpConvPlan plan_spconv(const ConvShape& s, const QConvFilter& filter) {
  constexpr double kArranged = 2.5;  // slots, for a block of outputs to be put back
  constexpr double kGain = 0.97;     // for which rows are grouped at all
  const std::vector<std::int64_t> spans = sampled_spans(s);
  std::vector<SpSurvivors> survivors;
  std::int64_t channels = 0;
  for (const std::int64_t span : spans) {
    survivors.emplace_back(s, filter, span * kSpConvSpan, span_end(s, span));
    channels += span_end(s, span) - span * kSpConvSpan;
  }
  SpConvPlan best;
  for (SpConvPlan plan : {SpConvPlan{false, 0}, {true, 0}, {true, 1}, {true, 2}, {true, 3}, {true, 4}})
    for (const bool ordered : {false, true}) {
      plan.ordered = ordered;
      plan.slots = ordered ? kArranged * static_cast<double>(channels) / kSpConvChannels : 0;
      for (std::size_t i = 0; i < spans.size(); ++i) plan.slots += span_cost(s, survivors[i], spans[i], plan);
      plan.slots *= static_cast<double>(s.out_c) / static_cast<double>(channels);
      const bool first = !plan.sliding && !ordered;
      if (first || plan.slots < (ordered > best.ordered ? kGain : 1) * best.slots) best = plan;
    }
  return best;
}

std::vector<std::uint8_t> spconv_order(const ConvShape& s, const SpSurvivors& survivors, std::int64_t span) {
  const std::int64_t first = span * kSpConvSpan;
  std::vector<std::uint8_t> order(static_cast<std::size_t>(span_end(s, span) - first));
  std::iota(order.begin(), order.end(), std::uint8_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::uint8_t a, std::uint8_t b) {
    return survivors.count(first + a) > survivors.count(first + b);
  });
  return order;
}

}  // namespace pare::kernels
