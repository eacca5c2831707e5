// Four products of tiles: 16x16 sums of 64 8-bit products each.
#include "kernels/amx/tiles.h"

namespace pare::kernels::amx::int8 {

void peak_rounds(std::int64_t rounds) noexcept {
  const Tiles tiles(whole_tiles());
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (std::int64_t round = 0; round < rounds; ++round) {
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
  }
}

}  // namespace pare::kernels::amx::int8
