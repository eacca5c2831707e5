// What the kernels of one panel see. No inline code, since files of different instruction sets include it.
#pragma once

#include "base/cpu.h"
#include "kernels/qconv/tile.h"
#include "kernels/sppanel/tile.h"

namespace pare::kernels {

/// Sums of `channels` of some pixels, as PanelProduct lays them out, without the bias.
struct SpConv1x4Finish {
  const std::uint32_t* sums;
  std::int64_t sum_stride;
  int pixels;
  std::int64_t channels;
  QConvFinish finish;  ///< of pixel 0 and channel 0
  bool bounded;        ///< qconv_bounded
};

/// Transposes 16 channels from `first` on, and finishes them as qconv_finish_block() does.
void spconv_1x4_finish_rows(Isa isa, const SpConv1x4Finish& finish, std::int64_t first) noexcept;

}  // namespace pare::kernels
