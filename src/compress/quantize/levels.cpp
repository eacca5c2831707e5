#include "compress/quantize/levels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/text.h"
#include "pare/error.h"

namespace pare::compress {

#define PARE_LEVELS(file, function) const Levels& function();
#include "compress/quantize/levels.inc"
#undef PARE_LEVELS

std::span<const Levels* const> level_kinds() {
  static const Levels* const table[] = {
#define PARE_LEVELS(file, function) &function(),
#include "compress/quantize/levels.inc"
#undef PARE_LEVELS
  };
  return table;
}

const Levels& find_levels(std::string_view name) {
  std::vector<std::string> names;
  for (const Levels* levels : level_kinds()) {
    if (levels->name == name) return *levels;
    names.emplace_back(levels->name);
  }
  throw Error(ErrorCode::kUsage, "levels", "unknown value" + did_you_mean(name, names), join(names, ", "),
              std::string(name));
}

double largest_magnitude(const LevelsRequest& request) {
  double largest = 0;
  for (float w : request.weights) largest = std::max(largest, std::fabs(static_cast<double>(w)));
  return largest;
}

std::vector<float> powers_of_two(const LevelsRequest& request, double top) {
  std::vector<float> levels = {0};
  if (largest_magnitude(request) == 0) return levels;
  for (int i = 0; i < (request.entries - 1) / 2; ++i) {
    const double level = std::exp2(top - i);
    if (!(level > 0x1p-126)) break;  // subnormals are flushed by some executors
    levels.push_back(static_cast<float>(level));
    levels.push_back(static_cast<float>(-level));
  }
  std::sort(levels.begin(), levels.end());
  return levels;
}

namespace {

ir::FakeLevels signs_of(std::span<const float> weights, ir::FakeScheme scheme) {
  const Tensor all = Tensor::from({static_cast<std::int64_t>(weights.size())}, std::vector<float>(weights.begin(), weights.end()));
  return ir::fake_levels({.scheme = scheme, .low = -1, .high = 1}, all, {}, std::nullopt);
}

}  // namespace

std::vector<float> sign_levels_of(const LevelsRequest& request, ir::FakeScheme scheme) {
  const bool zero = scheme == ir::FakeScheme::kTernary || request.with_zero;
  if (largest_magnitude(request) == 0 || (zero && request.entries < 3)) return {0};
  const float magnitude = signs_of(request.weights, scheme).steps.at(0);
  return zero ? std::vector<float>{-magnitude, 0, magnitude} : std::vector<float>{-magnitude, magnitude};
}

LevelMap::LevelMap(std::span<const float> levels, bool in_logarithms) {
  for (std::size_t k = 0; k + 1 < levels.size(); ++k) {
    const auto low = static_cast<double>(levels[k]), high = static_cast<double>(levels[k + 1]);
    double border = (low + high) / 2;
    if (in_logarithms && low * high > 0) border = std::copysign(std::sqrt(low * high), low);
    if (in_logarithms && low * high == 0) border = (low + high) / std::sqrt(2.0);
    borders_.push_back(static_cast<float>(border));
  }
}

LevelMap::LevelMap(std::span<const float> levels, const Levels& kind, std::span<const float> weights)
    : LevelMap(levels, kind.in_logarithms) {
  if (!kind.signs || levels.size() == 1) return;
  // A weight up to and with the largest that signs leave at 0 goes there.
  const ir::FakeLevels found = signs_of(weights, *kind.signs);
  float zeros = 0;
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (found.levels[i] == 0) zeros = std::max(zeros, std::fabs(weights[i]));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  borders_ = levels.size() == 2 ? std::vector<float>{0} : std::vector<float>{std::nextafter(-zeros, -kInfinity), zeros};
}

std::size_t LevelMap::operator()(float weight) const {
  return static_cast<std::size_t>(std::lower_bound(borders_.begin(), borders_.end(), weight) - borders_.begin());
}

}  // namespace pare::compress
