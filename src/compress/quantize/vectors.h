// k-means over vectors: the rows of a vector or product codebook.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"

namespace pare::compress {

struct VectorRequest {
  std::span<const float> points;      ///< [count, length]
  std::span<const float> importance;  ///< what the squared error of each element counts, as points; empty: all alike
  std::int64_t length = 1;
  int entries = 256;       ///< rows at most
  bool with_zero = false;  ///< row 0 is 0; points that are 0 throughout do not move the others
  Rng& rng;
};

/// Rows [≤ entries, length], at least one. Lloyd's iteration on Σ h·(x − c)² from a k-means++ start (Arthur &
/// Vassilvitskii 2007), h the importance (Hessian-weighted k-means, Choi et al. 2017); a row that no point is nearest to
/// moves to the point that is farthest from its own. Of more than 256 points a row a random part decides.
std::vector<float> choose_vectors(const VectorRequest& request);

/// The row of least Σ h·(x − c)² for each point; of equally near ones the first. `error`, when given: that sum of each.
std::vector<std::int32_t> nearest_vectors(std::span<const float> points, std::span<const float> importance,
                                          std::int64_t length, std::span<const float> rows,
                                          std::vector<double>* error = nullptr);

}  // namespace pare::compress
