// Scalar form of a narrow product: what the other rows are compared with.
#include "kernels/nbits/strip.h"

namespace pare::kernels::reference {

namespace {

double number(const NBitsPanel& p, std::int64_t block, std::int64_t k, int output) noexcept {
  const std::int64_t per_word = 32 / p.bits, word = k / per_word, at = k % per_word;
  const std::uint32_t bits = p.words[(block * p.words_per_block + word) * 16 + output];
  const auto shift = static_cast<unsigned>(8 * (at % 4) + p.bits * (at / 4));
  const std::uint32_t code = bits >> shift & ((1U << p.bits) - 1);
  const double value = p.code == NBitsCode::kSigned8 ? static_cast<double>(static_cast<std::int8_t>(code))
                                                     : static_cast<double>(p.table[code]);
  const std::int64_t group = block * 16 + output;
  return value * static_cast<double>(p.scale[group]) + (p.offset ? static_cast<double>(p.offset[group]) : 0.0);
}

}  // namespace

void nbits_narrow(const NBitsNarrow& call) noexcept {
  const NBitsPanel& p = call.panel;
  const std::int64_t depth = p.words_per_block * (32 / p.bits);
  for (int row = 0; row < call.rows; ++row) {
    for (int output = 0; output < call.outputs; ++output) {
      double sum = call.bias ? static_cast<double>(call.bias[output]) : 0.0;
      for (std::int64_t block = 0; block < p.blocks; ++block)
        for (std::int64_t k = 0; k < depth; ++k)
          sum += static_cast<double>(call.a[row * call.a_stride + block * depth + k]) * number(p, block, k, output);
      call.y[row * call.y_stride + output] = static_cast<float>(sum);
    }
  }
}

}  // namespace pare::kernels::reference
