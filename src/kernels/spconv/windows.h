// Which 64 inputs the slots of a block pick from. A window may begin at the first weight that no slot has yet, so that
// output channels with few weights there go on while the fullest one catches up: with nine of ten weights zero,
// anywhere, a fixed cut into groups of 64 needs a quarter more slots.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/qconv/qconv.h"

namespace pare::kernels {

/// Taps that lie side by side in memory and make one line: those of a row where there is no dilation.
std::int64_t spconv_line_taps(const ConvShape& shape) noexcept;

/// A weight that is not zero.
struct SpSurvivor {
  std::int32_t at;  ///< of its line
  std::int8_t weight;
};

/// The weights that are not zero of some output channels, by channel and line, in order.
class SpSurvivors {
 public:
  /// Of channels first … end − 1.
  SpSurvivors(const ConvShape& shape, const QConvFilter& filter, std::int64_t first, std::int64_t end);

  std::int64_t lines() const noexcept { return lines_; }
  std::int64_t length() const noexcept { return length_; }
  std::span<const SpSurvivor> of(std::int64_t channel, std::int64_t line) const noexcept {
    const auto at = static_cast<std::size_t>((channel - first_) * lines_ + line);
    return std::span(all_).subspan(begins_[at], begins_[at + 1] - begins_[at]);
  }
  /// Of all lines.
  std::int64_t count(std::int64_t channel) const noexcept { return static_cast<std::int64_t>(all_of(channel).size()); }
  std::int32_t sum(std::int64_t channel) const noexcept;

 private:
  std::span<const SpSurvivor> all_of(std::int64_t channel) const noexcept;

  std::int64_t lines_, length_, first_;
  std::vector<std::size_t> begins_;
  std::vector<SpSurvivor> all_;
};

/// How weights are packed.
struct SpConvPlan {
  bool sliding = false;  ///< windows begin anywhere, not at multiples of 64
  int each = 0;          ///< slots of a window; 0: as many as it takes
  bool ordered = false;  ///< rows are grouped by fill
  double slots = 0;      ///< of all blocks; what a window costs beside its slots counts as parts of one
};

/// Walks the windows of one line.
class SpWindows {
 public:
  /// `channels`: those of a block.
  SpWindows(const SpSurvivors& survivors, std::span<const std::int64_t> channels, std::int64_t line,
            const SpConvPlan& plan);

  /// The next one; false: there is none.
  bool next();
  std::int64_t start() const noexcept { return start_; }
  int slots() const noexcept { return slots_; }
  /// The weights of a channel, by its place, that this window takes.
  std::span<const SpSurvivor> taken(std::size_t place) const noexcept { return taken_[place]; }

 private:
  std::size_t reach(std::span<const SpSurvivor> rest, std::int64_t start) const noexcept;

  std::int64_t length_, start_ = 0;
  bool sliding_;
  int each_, slots_ = 0;
  std::vector<std::span<const SpSurvivor>> rest_, taken_;
};

/// By an estimate on some spans of output channels.
SpConvPlan plan_spconv(const ConvShape& shape, const QConvFilter& filter);

/// The rows of a span as they go: of about equally many weights side by side, in numbers from the span's first.
std::vector<std::uint8_t> spconv_order(const ConvShape& shape, const SpSurvivors& survivors, std::int64_t span);

}  // namespace pare::kernels
