// Which positions of a convolution count in the sums of what it sees: far more than needed look alike.
#pragma once

#include <cstdint>
#include <vector>

namespace pare::compress {

/// The share of `rows` positions (of all samples) that are enough for a Hessian of `columns`: 32 rows a column and
/// 32768 in all, or all there are. Neighbouring positions of a map see much the same, and the cost of a Hessian is that
/// of its rows.
double positions_share(std::int64_t rows, std::int64_t columns);

/// Picks an even part of positions that come in pieces: those where the multiples of the golden ratio, modulo 1, lie
/// below the share (Weyl's sequence), which spread over rows, columns and samples whatever the sizes of the maps are.
class EvenPart {
 public:
  /// Ascending numbers of those that count among the next `count`.
  std::vector<std::int64_t> of(std::int64_t count, double share);

 private:
  double at_ = 0;
};

}  // namespace pare::compress
