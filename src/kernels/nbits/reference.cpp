// Scalar form of a narrow product: what the other rows are compared with.
#include "kernels/nbits/strip.h"

namespace pare::kernels::reference {

namespace {

std::uint32_t three_bits(const std::uint32_t* words, std::int64_t at) noexcept {
  const auto field = static_cast<unsigned>(at / 4), byte = static_cast<unsigned>(8 * (at % 4));
  const std::uint32_t low = words[field / 4 * 16] >> (byte + 2 * (field % 4)), high = words[2 * 16] >> (byte + field);
  return (low & 3) | (high & 1) << 2;
}

std::uint32_t code_at(const NBitsPanel& p, std::int64_t block, std::int64_t k, int output) noexcept {
  if (p.code == NBitsCode::kRows16 || p.code == NBitsCode::kRows256) {
    const std::uint32_t* words = p.words + output * p.words_per_block;
    if (p.code == NBitsCode::kRows16) return words[k / 128 * 16 + k % 16] >> (k % 128 / 16 * 4) & 15;
    return words[k / 4] >> (k % 4 * 8) & 255;
  }
  const std::uint32_t* words = p.words + block * p.words_per_block * 16 + output;
  if (p.bits == 3) return three_bits(words + k / 32 * 3 * 16, k % 32);
  const std::int64_t per_word = 32 / p.bits, at = k % per_word;
  const auto shift = static_cast<unsigned>(8 * (at % 4) + p.bits * (at / 4));
  return words[k / per_word * 16] >> shift & ((1U << p.bits) - 1);
}

double number(const NBitsPanel& p, std::int64_t block, std::int64_t k, int output) noexcept {
  const std::uint32_t code = code_at(p, block, k, output);
  const double value = p.code == NBitsCode::kSigned8 ? static_cast<double>(static_cast<std::int8_t>(code))
                                                     : static_cast<double>(p.table[output * p.table_stride + code]);
  const std::int64_t group = block * 16 + output;
  return value * static_cast<double>(p.scale[group]) + (p.offset ? static_cast<double>(p.offset[group]) : 0.0);
}

}  // namespace

void nbits_narrow(const NBitsNarrow& call) noexcept {
  const NBitsPanel& p = call.panel;
  const std::int64_t depth = p.depth;
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
