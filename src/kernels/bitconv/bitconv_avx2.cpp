// Bits are counted by looking up nibbles (vpshufb; Muła et al. 2017); counts are kept in bytes for as long as they fit.
#include <immintrin.h>

#include <cstring>

#include "kernels/bitconv/tile.h"

namespace pare::kernels::avx2 {
namespace {

constexpr int kLongest = 31;  ///< counts of at most 8 that fit into a byte

__m256i load(const std::uint32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }

/// Bits of each byte.
__m256i count(__m256i v) {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3,
                                         2, 3, 3, 4);
  const __m256i nibble = _mm256_set1_epi8(15);
  return _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(v, nibble)),
                         _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble)));
}

/// Four bytes of each lane added up.
__m256i widened(__m256i bytes) {
  return _mm256_madd_epi16(_mm256_maddubs_epi16(bytes, _mm256_set1_epi8(1)), _mm256_set1_epi16(1));
}

/// Σ popcount(u_j & mask) of 8 channels of one pixel and plane.
__m256i plane_sum(const BitTile& t, int pixel, int plane, const std::uint32_t* masks) {
  const int step = (t.binary ? 1 : 2) * kBitChannels;
  __m256i sum = _mm256_setzero_si256(), bytes = sum;
  int held = 0;
  for (std::int64_t tap = 0; tap < t.taps; ++tap) {
    const std::uint32_t* u = t.inputs[tap * kBitPixels + pixel] + plane;
    for (std::int64_t g = 0; g < t.groups; ++g, masks += step) {
      const __m256i word = _mm256_set1_epi32(static_cast<int>(u[g * t.bits]));
      bytes = _mm256_add_epi8(bytes, count(_mm256_and_si256(word, load(masks))));
      if (++held < kLongest) continue;
      sum = _mm256_add_epi32(sum, widened(bytes));
      bytes = _mm256_setzero_si256();
      held = 0;
    }
  }
  return _mm256_add_epi32(sum, widened(bytes));
}

}  // namespace

void bitconv_encode(const BitEncode& e) noexcept {
  const __m256i lowest = _mm256_set1_epi8(static_cast<char>(e.lowest));
  const std::int64_t words = (e.channels + kBitGroup - 1) / kBitGroup;
  std::uint32_t sum = 0;
  for (std::int64_t g = 0; g < words; ++g) {
    const std::int64_t left = e.channels - g * kBitGroup;
    alignas(32) std::uint8_t last[kBitGroup];
    const std::uint8_t* in = e.in + g * kBitGroup;
    if (left < kBitGroup) {
      std::memset(last, e.lowest, sizeof last);
      std::memcpy(last, in, static_cast<std::size_t>(left));
      in = last;
    }
    const __m256i u = _mm256_sub_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(in)), lowest);
    for (int j = 0; j < e.bits; ++j) {
      const auto plane = static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_sll_epi16(u, _mm_cvtsi32_si128(7 - j))));
      e.out[g * e.bits + j] = plane;
      sum += static_cast<std::uint32_t>(__builtin_popcount(plane)) << j;
    }
  }
  e.out[words * e.bits] = sum;
}

void bitconv_tile(const BitTile& t) noexcept {
  for (int p = 0; p < t.pixels; ++p) {
    std::int32_t total = 0;
    for (std::int64_t tap = 0; tap < t.taps; ++tap)
      total += static_cast<std::int32_t>(t.inputs[tap * kBitPixels + p][t.groups * t.bits]);
    for (int half = 0; half < kBitChannels; half += 8) {
      __m256i sum = _mm256_setzero_si256();
      for (int j = 0; j < t.bits; ++j) {
        __m256i own = plane_sum(t, p, j, t.masks + half);
        if (!t.binary) own = _mm256_sub_epi32(own, plane_sum(t, p, j, t.masks + kBitChannels + half));
        sum = _mm256_add_epi32(sum, _mm256_sll_epi32(own, _mm_cvtsi32_si128(j)));
      }
      if (t.binary) sum = _mm256_sub_epi32(_mm256_slli_epi32(sum, 1), _mm256_set1_epi32(total));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(t.sums + p * kBitChannels + half), sum);
    }
  }
}

}  // namespace pare::kernels::avx2
