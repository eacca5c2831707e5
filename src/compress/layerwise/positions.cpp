#include "compress/layerwise/positions.h"

#include <algorithm>
#include <cmath>

namespace pare::compress {

double positions_share(std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t kRowsAColumn = 32, kFewest = std::int64_t{1} << 15;
  const auto enough = static_cast<double>(std::max(kFewest, kRowsAColumn * columns));
  return rows > 0 ? std::min(1.0, enough / static_cast<double>(rows)) : 1.0;
}

std::vector<std::int64_t> EvenPart::of(std::int64_t count, double share) {
  constexpr double kGolden = 0.6180339887498949;
  std::vector<std::int64_t> picked;
  for (std::int64_t i = 0; i < count; ++i) {
    if (at_ < share) picked.push_back(i);
    at_ += kGolden;
    at_ -= std::floor(at_);
  }
  return picked;
}

}  // namespace pare::compress
