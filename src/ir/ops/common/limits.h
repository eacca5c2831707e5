// Checks of what inputs ask for at run time, so that a wrong index or an absurd shape is an Error that names the node.
#pragma once

#include <cstdint>

#include "ir/op.h"

namespace pare::ir::ops {

/// Throws Error(kBadInput) on a negative dimension and Error(kMemory) when a result of this shape passes the thread's
/// MemoryBudget.
void require_room(const EvaluateContext& ctx, const Dims& dims);

/// An index into an axis of `size`; a negative one counts from the end. Throws Error(kBadInput) outside the axis.
std::int64_t checked_index(const EvaluateContext& ctx, std::int64_t index, std::int64_t size);

/// The only element of an integer or a float input. Throws when it has another number of elements.
std::int64_t scalar_int(const EvaluateContext& ctx, std::size_t slot, const char* what);
double scalar_double(const EvaluateContext& ctx, std::size_t slot, const char* what);

}  // namespace pare::ir::ops
