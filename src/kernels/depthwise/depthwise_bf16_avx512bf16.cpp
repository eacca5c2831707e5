// 32 channels at once: a register of bfloat16 is one of its even channels as f32 shifted, and one of its odd channels
// masked.
#include "kernels/depthwise/tile.h"
#include "kernels/vec_avx512.h"

namespace pare::kernels::avx512bf16 {
namespace {

struct Halves {
  using F32 = avx512::F32;
  static constexpr int kVectors = 2, kLanes = 32;
  struct Input {
    __m512 part[2];
  };

  static __mmask32 first(std::int64_t n) { return n >= 32 ? ~__mmask32{0} : (__mmask32{1} << n) - 1; }
  static Input split(__m512i both) {
    return {{_mm512_castsi512_ps(_mm512_slli_epi32(both, 16)),
             _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(static_cast<int>(0xFFFF0000))))}};
  }
  template <bool kWhole>
  static Input load(const void* pixel, std::int64_t channel, std::int64_t n) {
    const auto* at = static_cast<const std::uint16_t*>(pixel) + channel;
    return split(kWhole ? _mm512_loadu_si512(at) : _mm512_maskz_loadu_epi16(first(n), at));
  }

  /// Even and odd channels of 32 f32.
  static Input load_floats(const float* p, std::int64_t n) {
    const __m512 low = F32::load_some(p, n, 0.0f), high = n > 16 ? F32::load_some(p + 16, n - 16, 0.0f) : F32::zero();
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    return {{_mm512_permutex2var_ps(low, even, high),
             _mm512_permutex2var_ps(low, _mm512_add_epi32(even, _mm512_set1_epi32(1)), high)}};
  }
  static void store_floats(float* p, std::int64_t n, __m512 even, __m512 odd) {
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    F32::store_some(p, n, _mm512_permutex2var_ps(even, low, odd));
    if (n > 16)
      F32::store_some(p + 16, n - 16,
                      _mm512_permutex2var_ps(even, _mm512_add_epi32(low, _mm512_set1_epi32(8)), odd));
  }

  struct Finish {
    FloatEpilogue e;
    void* out;
    __m512 lo, hi;
    Finish(const FloatEpilogue& given, void* to) : e(given), out(to), lo(F32::set(e.lo)), hi(F32::set(e.hi)) {}

    template <bool kWhole>
    void write(std::int64_t at, std::int64_t n, const __m512 (&sums)[2]) const {
      __m512 y[2] = {sums[0], sums[1]};
      if (e.activation != UnaryOp::kIdentity)
        y[0] = activate<F32>(e.activation, y[0]), y[1] = activate<F32>(e.activation, y[1]);
      if (e.residual) {
        const Input added = e.residual_type == DType::kFloat32
                                ? load_floats(static_cast<const float*>(e.residual) + at, n)
                                : load<kWhole>(e.residual, at, n);
        y[0] = F32::add(y[0], added.part[0]), y[1] = F32::add(y[1], added.part[1]);
      }
      for (__m512& part : y) part = F32::min(hi, F32::max(lo, part));  // NaN stays: it is the second operand
      if (e.output_type == DType::kFloat32) return store_floats(static_cast<float*>(out) + at, n, y[0], y[1]);
      const __m512i even = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(y[0])),
                    odd = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(y[1])),
                    both = _mm512_or_si512(even, _mm512_slli_epi32(odd, 16));
      auto* to = static_cast<std::uint16_t*>(out) + at;
      if (kWhole)
        _mm512_storeu_si512(to, both);
      else
        _mm512_mask_storeu_epi16(to, first(n), both);
    }
  };
};

}  // namespace

void depthwise_strip(const DepthwiseStrip& s) noexcept { depthwise_outputs<Halves>(s); }

}  // namespace pare::kernels::avx512bf16
