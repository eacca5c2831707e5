// Counter-based random numbers: the n-th draw of a (seed, stream…) key does not depend on who drew before it, so
// threads, epochs and resumed runs agree bit for bit. Philox4x32-10 (Salmon et al., SC'11).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace pare {

/// The bare generator: ten rounds of Philox4x32.
std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter,
                                           std::array<std::uint32_t, 2> key) noexcept;

class Rng {
 public:
  /// Independent streams for different keys, for example Rng(seed, kAugment, epoch, sample).
  explicit Rng(std::uint64_t seed, std::uint64_t stream = 0, std::uint64_t substream = 0, std::uint64_t item = 0);

  std::uint32_t next();
  /// Uniform in [0, bound), without modulo bias; bound > 0.
  std::uint64_t below(std::uint64_t bound);
  double uniform();  ///< [0, 1) with 53 bits
  double normal();   ///< mean 0, variance 1 (Box–Muller)
  bool coin(double p = 0.5) { return uniform() < p; }
  /// A permutation of 0 … n−1 (Fisher–Yates).
  std::vector<std::int64_t> permutation(std::int64_t n);

 private:
  std::array<std::uint32_t, 4> counter_{},
      block_{};  // counter words 0 and 1 count blocks, 2 and 3 name item and substream
  std::array<std::uint32_t, 2> key_{};
  int used_ = 4;
  double spare_ = 0;
  bool has_spare_ = false;
};

/// Stream numbers, so that no two uses share one.
enum RngStream : std::uint64_t {
  kRngShuffle = 1,
  kRngAugment,
  kRngSplit,
  kRngInit,
  kRngCalibration,
  kRngMethod,
  kRngTest
};

}  // namespace pare
