// 16 lanes: four queries by four panels of keys in 16 sums.
#include "kernels/attention/tile.h"
#include "kernels/vec_avx512.h"

namespace pare::kernels::avx512 {
void attention_block(const AttentionBlock& block) noexcept { attention_tiles<F32>(block); }

}  // namespace pare::kernels::avx512
