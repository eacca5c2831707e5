// What a row of the 8-bit binary table computes: one stretch on the calling thread. No inline code, since files of
// different instruction sets include it.
#pragma once

#include "kernels/elementwise/elementwise.h"

namespace pare::kernels {

struct QBinarySpan {
  BinaryOp op;
  std::int64_t count;
  QuantParams a_params, b_params, out_params;
  const void *a, *b;
  bool a_steps, b_steps;  ///< false: one value for the whole stretch
  float lo, hi;           ///< clamp of the real result
  void* out;
};

}  // namespace pare::kernels
