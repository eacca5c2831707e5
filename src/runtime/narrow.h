// Which values between products are held in bfloat16 when products run in it.
#pragma once

#include <set>
#include <vector>

#include "runtime/group.h"

namespace pare::runtime {

/// Float32 values that a product with constant weights writes and that nothing but such products reads, as the input or
/// as what they add, at once or by way of a MaxPool, whose output is one too. Other readers would have to widen them
/// again.
std::set<ir::ValueId> narrow_values(const ir::Graph& graph, const std::vector<Group>& groups);

}  // namespace pare::runtime
