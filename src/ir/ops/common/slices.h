// Index tuples of GatherND and ScatterND.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/op.h"

namespace pare::ir::ops {

/// What the last axis of `indices` points at: runs of `size` consecutive elements of the data.
struct SliceIndex {
  std::vector<std::int64_t> starts;  ///< linear index of each run, one an index tuple
  std::int64_t size = 1;
  Dims tail;  ///< shape of a run
};

/// Reads input 1 as tuples into `data`, after `batch` leading axes that both share. Throws Error(kBadInput) naming an
/// index out of range, or a tuple longer than the data has axes.
SliceIndex read_slices(const EvaluateContext& ctx, const Dims& data, std::int64_t batch);

}  // namespace pare::ir::ops
