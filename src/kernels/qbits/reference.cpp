// One code after the other.
#include "kernels/qbits/panel.h"

namespace pare::kernels::reference {

void qbits_multiply(const QBitsPanel& p) noexcept {
  const int fields = 8 / p.bits;
  const std::uint32_t mask = (1u << p.bits) - 1;
  for (int row = 0; row < p.rows; ++row)
    for (int output = 0; output < kQBitsOutputs; ++output) {
      std::int32_t sum = 0;
      const std::uint8_t* x = p.x + row * p.stride;
      for (std::int64_t w = 0; w < p.words; ++w)
        for (int f = 0; f < fields; ++f)
          for (int i = 0; i < 4; ++i)
            sum += *x++ * static_cast<std::int32_t>(p.codes[w * kQBitsOutputs + output] >> (8 * i + p.bits * f) & mask);
      p.sums[row * kQBitsOutputs + output] = sum;
    }
}

}  // namespace pare::kernels::reference
