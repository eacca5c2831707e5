// What this CPU multiplies at most: the yardstick of profiles.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

/// Multiply-adds a nanosecond of all the threads of the calling thread's team together, with every operand in a
/// register: the best of several short measurements (about 20 ms in all). Type kFloat32, kBFloat16 or kInt8 (8-bit
/// operands, 32-bit sums); 0 where no instruction multiplies it. Honours PARE_FORCE_ISA.
double measure_peak(DType type, int threads) noexcept;

}  // namespace pare::kernels
