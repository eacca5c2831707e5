// Codes of sixteen outputs a register and the numbers that they stand for. vpermps reads only the low four bits of an
// index: a shifted word is looked up as it is, and the table gives the number. In an anonymous namespace: each file that
// includes it is compiled for its own instruction set and keeps its own copy.
#pragma once

#include <immintrin.h>

#include "kernels/nbits/strip.h"

namespace pare::kernels {
namespace {

/// How many words hold whole codes together, and how many codes these are.
template <int kBits>
inline constexpr int kWords = kBits == 3 ? 3 : 1;
template <int kBits>
inline constexpr int kCodes = 32 * kWords<kBits> / kBits;

/// The words of one piece as vectors whose bytes have the code of field f in their low bits; above them lies anything.
template <int kBits>
struct Piece {
  __m512i words[kWords<kBits>];

  explicit Piece(const std::uint32_t* at) {
    for (int i = 0; i < kWords<kBits>; ++i) words[i] = _mm512_loadu_si512(at + 16 * i);
  }
  template <int kField>
  __m512i field() const {
    if constexpr (kBits == 3) {
      const __m512i low = _mm512_srli_epi32(words[kField / 4], 2 * (kField % 4));
      const __m512i high = kField < 2 ? _mm512_slli_epi32(words[2], kField < 2 ? 2 - kField : 0)
                                      : _mm512_srli_epi32(words[2], kField < 2 ? 0 : kField - 2);
      return _mm512_ternarylogic_epi32(_mm512_set1_epi8(3), low, high, 0xCA);  // the low two bits of `low`, else `high`
    } else {
      return _mm512_srli_epi32(words[0], kBits * kField);
    }
  }
};

/// Numbers of byte i of a field.
template <NBitsCode kCode, int kByte>
inline __m512 numbers(__m512i field, __m512 table) noexcept {
  if constexpr (kCode == NBitsCode::kTable16)
    return _mm512_permutexvar_ps(kByte == 0 ? field : _mm512_srli_epi32(field, 8 * kByte), table);
  return _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(field, 24 - 8 * kByte), 24));
}

}  // namespace
}  // namespace pare::kernels
