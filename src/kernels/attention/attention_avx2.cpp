// 8 lanes: four queries by one panel of keys in eight sums.
#include "kernels/attention/tile.h"
#include "kernels/vec_avx2.h"

namespace pare::kernels::avx2 {
namespace {

struct Vec : F32 {
  /// 2^n · e^r with x = n·ln2 + r, e^r by its Taylor series to r^7 as in kernels/math.h.
  static Type exp_negative(Type x) {
    const Type smallest = set(-87.3f);
    const Type some = _mm256_cmp_ps(x, smallest, _CMP_NLT_UQ);
    const Type inside = _mm256_max_ps(smallest, x);  // NaN is the second operand, which max returns
    const Type n = _mm256_round_ps(mul(inside, set(1.44269504088896341f)), _MM_FROUND_TO_NEAREST_INT);
    Type r = _mm256_fnmadd_ps(n, set(0.693145751953125f), inside);
    r = _mm256_fnmadd_ps(n, set(1.42860682030941723e-6f), r);
    Type q = set(1.0f / 5040);
    static constexpr float kTerms[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
#pragma GCC unroll 7
    for (float term : kTerms) q = fma(q, r, set(term));
    const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    const Type y = mul(q, _mm256_castsi256_ps(power));  // NaN times whatever its power came out as
    return _mm256_and_ps(y, some);
  }
};

}  // namespace

void attention_block(const AttentionBlock& block) noexcept { attention_tiles<Vec>(block); }

}  // namespace pare::kernels::avx2
