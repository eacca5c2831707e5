#include "pack/range_coder.h"

#include <cmath>
#include <vector>

namespace pare::pack {

double CostCounter::cost(std::uint32_t p) {
  static const std::vector<float> table = [] {
    std::vector<float> bits(4097);
    for (std::size_t i = 0; i < bits.size(); ++i)
      bits[i] = static_cast<float>(-std::log2((static_cast<double>(i) + 0.5) / 4096.5));
    return bits;
  }();
  return table[p >> 4];
}

}  // namespace pare::pack
