// Levels: the values that the weights of a part of a layer may take. One file and one row a way of choosing them.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "ir/fake_quantize.h"

namespace pare::compress {

struct LevelsRequest {
  std::span<const float> weights;  ///< those that share the levels; exact zeros are not among them when zeros are kept
  std::span<const float> importance = {};  ///< kmeans: what the squared error of each counts; empty: all alike
  int entries = 16;                ///< at most
  bool with_zero = false;          ///< 0 must be a level
  std::string_view start;          ///< of methods that iterate: linear, density, random, auto (the best of these)
  Rng& rng;
};

struct Levels {
  std::string_view name, summary, paper;
  /// Ascending, finite, at least one and at most `entries`.
  std::vector<float> (*choose)(const LevelsRequest&);
  /// Weights go to the nearest by the logarithm of their magnitude instead of their value.
  bool in_logarithms = false;
  int most = 256;  ///< levels that it ever chooses
  /// The signs that weights take, where it is not the nearest level: of binary and ternary weights.
  std::optional<ir::FakeScheme> signs = {};
};

/// All rows of levels.inc.
std::span<const Levels* const> level_kinds();
/// Error(kUsage) with a suggestion when unknown.
const Levels& find_levels(std::string_view name);

/// Of the request's weights; 0 when there are none.
double largest_magnitude(const LevelsRequest& request);

/// {±2^top, ±2^(top−1), …, 0}, as many as the entries give; {0} where all weights are 0.
std::vector<float> powers_of_two(const LevelsRequest& request, double top);

/// Binary and ternary levels: −s, s and, of ternary ones or where it must be, 0; s and the signs are ir/fake_quantize.h's.
std::vector<float> sign_levels_of(const LevelsRequest& request, ir::FakeScheme scheme);

/// Which level takes a weight: the nearest, the lower of two equally near ones. In logarithms the border between two of
/// a sign is their geometric mean, and between 0 and its neighbour what is smaller than that by half a step of 2.
class LevelMap {
 public:
  LevelMap(std::span<const float> levels, bool in_logarithms);
  /// As `kind` has it, for levels that it chose for `weights`.
  LevelMap(std::span<const float> levels, const Levels& kind, std::span<const float> weights);
  std::size_t operator()(float weight) const;

 private:
  std::vector<float> borders_;  ///< [levels − 1]; up to and with it the lower level
};

}  // namespace pare::compress
