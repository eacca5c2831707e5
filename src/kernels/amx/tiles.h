// The tile registers of AMX. Files of this instruction set alone include it; the anonymous namespace keeps what is made
// of it in each.
#pragma once

// False alarms in the header of gcc 12 (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <cstdint>

namespace pare::kernels::amx {
namespace {

inline constexpr int kTileRows = 16;       ///< at most
inline constexpr int kTileBytes = 64;      ///< of a row, at most
inline constexpr int kTileRegisters = 8;

/// Intel's Software Developer's Manual, "Intel AMX": the operand of LDTILECFG.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};

/// The tiles of this thread have a shape while it lives; afterwards they are as before, so that a change of context need
/// not save them.
class Tiles {
 public:
  explicit Tiles(const TileShapes& shapes) {
    asm volatile("" : : "r"(&shapes) : "memory");  // the intrinsic says that it reads a pointer, not what is behind it
    _tile_loadconfig(&shapes);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

/// All tiles whole.
inline TileShapes whole_tiles() {
  TileShapes shapes;
  for (int tile = 0; tile < kTileRegisters; ++tile) shapes.row_bytes[tile] = kTileBytes, shapes.rows[tile] = kTileRows;
  return shapes;
}

/// The compiler may not move memory accesses across it: the intrinsics of tiles do not say that they read memory.
inline void fence() { asm volatile("" ::: "memory"); }

/// The products of tiles 4 and 5 (of inputs) by 6 and 7 (of weights), added to tiles 0 to 3. The intrinsics are macros
/// that take numbers as they are written.
#define PARE_TILE_PRODUCTS(name, intrinsic)               \
  struct name {                                           \
    static void upper_left() { intrinsic(0, 4, 6); }      \
    static void upper_right() { intrinsic(1, 4, 7); }     \
    static void lower_left() { intrinsic(2, 5, 6); }      \
    static void lower_right() { intrinsic(3, 5, 7); }     \
  }

}  // namespace
}  // namespace pare::kernels::amx
