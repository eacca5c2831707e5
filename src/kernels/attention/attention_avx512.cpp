// 16 lanes: four queries by four panels of keys in 16 sums.
#include "kernels/attention/tile.h"
#include "kernels/vec_avx512.h"

namespace pare::kernels::avx512 {
namespace {

struct Vec : F32 {
  /// 2^n · e^r with x = n·ln2 + r, e^r by its Taylor series to r^7 as in kernels/math.h.
  static Type exp_negative(Type x) {
    const Type smallest = set(-87.3f);
    const __mmask16 none = _mm512_cmp_ps_mask(x, smallest, _CMP_LT_OQ);
    const Type inside = _mm512_max_ps(smallest, x);  // NaN is the second operand, which max returns
    const Type n = _mm512_roundscale_ps(mul(inside, set(1.44269504088896341f)), _MM_FROUND_TO_NEAREST_INT);
    Type r = _mm512_fnmadd_ps(n, set(0.693145751953125f), inside);
    r = _mm512_fnmadd_ps(n, set(1.42860682030941723e-6f), r);
    Type q = set(1.0f / 5040);
    static constexpr float kTerms[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
#pragma GCC unroll 7
    for (float term : kTerms) q = fma(q, r, set(term));
    return _mm512_mask_mov_ps(_mm512_scalef_ps(q, n), none, zero());
  }
};

}  // namespace

void attention_block(const AttentionBlock& block) noexcept { attention_tiles<Vec>(block); }

}  // namespace pare::kernels::avx512
