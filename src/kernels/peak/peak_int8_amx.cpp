// 16x16 sums of 64 8-bit products each.
#include "kernels/peak/amx_rounds.h"

namespace pare::kernels::amx::int8 {
namespace {

PARE_TILE_PRODUCTS(Product, _tile_dpbusd);

}  // namespace

void peak_rounds(std::int64_t rounds) noexcept { multiply_rounds<Product>(rounds); }

}  // namespace pare::kernels::amx::int8
