// Neighbouring convolutions that run together on some lines of an image at a time, so that what is between them stays
// in the L2 cache and is never whole: expansion → depthwise → projection of mobile networks.
//
//   1×1 → [112×112×96] → depthwise 3×3 → [56×56×96] → 1×1
//   becomes, for every 4 lines of the result: 9 lines of the first value (of which 1 is left from the lines before), 4
//   of the second.
//
// Condition: nothing else reads the value between two of them, it takes more than a third of the L2 cache (all of it
// where it has 8 bits), and all the weights of a chain less than that; both run by lines (Step::by_lines). Threads take
// lines of their own. The numbers are those of running the convolutions one after the other.
#pragma once

#include <cstdint>

#include "runtime/lowerer.h"
#include "runtime/plan.h"

namespace pare::runtime {

/// A third of the L2 cache, in bytes.
std::size_t band_bytes();

/// Joins such steps, before the plan's memory is laid out. `bytes`: what a band takes at most, and what a value takes
/// at least to be cut into bands.
void join_bands(Plan& plan, int threads, std::size_t bytes = band_bytes());

/// The steps that write and read the value will be joined where the writing one runs by lines: it is read by a
/// depthwise convolution alone, and its `bytes` are enough.
bool goes_to_band(const Lowerer& lowerer, ir::ValueId value, DType type, std::size_t bytes);

}  // namespace pare::runtime
