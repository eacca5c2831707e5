// 8 lanes: four queries by one panel of keys in eight sums.
#include "kernels/attention/tile.h"
#include "kernels/vec_avx2.h"

namespace pare::kernels::avx2 {
void attention_block(const AttentionBlock& block) noexcept { attention_tiles<F32>(block); }

}  // namespace pare::kernels::avx2
