// Four products of tiles a round, for the peaks of AMX. Files of this instruction set alone include it; the anonymous
// namespace keeps what is made of it in each.
#pragma once

#include "kernels/amx/tiles.h"

namespace pare::kernels::amx {
namespace {

/// Product: PARE_TILE_PRODUCTS.
template <class Product>
void multiply_rounds(std::int64_t rounds) {
  const Tiles tiles(whole_tiles());
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (; rounds > 0; --rounds) {
    Product::upper_left();
    Product::upper_right();
    Product::lower_left();
    Product::lower_right();
  }
}

}  // namespace
}  // namespace pare::kernels::amx
