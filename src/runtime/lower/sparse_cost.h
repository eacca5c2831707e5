// Estimated cycles of sparse, dense and Winograd products, by CPU; all fitted to bench/kernels (spconv_bench,
// spconv_f32_bench, winograd_bench, pointwise_bench).
#pragma once

#include <string>

#include "kernels/sppanel/values.h"
#include "kernels/winograd/winograd.h"

namespace pare::runtime {

/// Cycles of a product by panels (kernels/sppanel) for a vector of 16 pixels.
struct PanelCosts {
  double entry;                ///< to multiply one weight (f32, or a block of four s8)
  double gather;               ///< to be packed into the panel
  double finish;               ///< to be made an output
  double block;                ///< for sums to be read and written, once an output and block of inputs
  double shift = 0, stay = 0;  ///< in place of gather and finish, of values in panels (f32)
};

/// Cycles of Winograd convolutions of one size of tiles (kernels/winograd), for 16 channels of a tile.
struct WinogradCosts {
  double input, output;  ///< to be transformed
};

struct SparseCosts {
  double dense_f32, dense_s8;    ///< multiply-adds a cycle of the dense products
  double dense_finish;           ///< of 16 outputs, int8
  double slot, gathered_finish;  ///< kernels/spconv: of a slot, and of 16 outputs
  PanelCosts f32, s8;
  double bits, encode;  ///< kernels/bitconv: of a word of 16 channels, a plane and a mask; of 64 inputs
  double code;          ///< kernels/qbits: of 64 codes and a row
  WinogradCosts tiles4, tiles2;
  double transformed;  ///< multiply-adds a cycle of Winograd's products
};

/// Those of the best instruction set that may be used.
const SparseCosts& sparse_costs();

/// "3.4"
std::string format_decimal(double value);

/// Of a product that pointwise_fits().
double pointwise_cycles(const kernels::ConvShape& shape);

/// Of a convolution that winograd_fits().
double winograd_cycles(const kernels::ConvShape& shape, kernels::WinogradTile tile);

double panel_cycles(const PanelCosts& costs, const kernels::ConvShape& shape, std::int64_t inputs, double density,
                    const kernels::PanelValues& values = {});

}  // namespace pare::runtime
