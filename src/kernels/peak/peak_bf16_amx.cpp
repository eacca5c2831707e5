// 16x16 sums of 32 bfloat16 products each.
#include "kernels/peak/amx_rounds.h"

namespace pare::kernels::amx::bf16 {
namespace {

PARE_TILE_PRODUCTS(Product, _tile_dpbf16ps);

}  // namespace

void peak_rounds(std::int64_t rounds) noexcept { multiply_rounds<Product>(rounds); }

}  // namespace pare::kernels::amx::bf16
