// Axis relations that several operators share (op.h, AxisRelation).
#pragma once

#include <vector>

#include "ir/op.h"

namespace pare::ir::ops {

using Kind = AxisRelation::Kind;
using Side = AxisRelation::Side;

AxisRelation input_axis(std::size_t slot, std::int64_t axis, int label, Kind kind = Kind::kSame,
                        std::int64_t block = 1);
AxisRelation output_axis(std::size_t slot, std::int64_t axis, int label, Kind kind = Kind::kSame,
                         std::int64_t block = 1);

/// y[i] = f(x[i]…) with numpy broadcasting: every axis is shared but those that are broadcast.
std::vector<AxisRelation> axes_broadcast(const AxesContext& ctx);
/// Input 0 and output 0 share axes 0 and 1 (batch and channels): pooling.
std::vector<AxisRelation> axes_pooling(const AxesContext& ctx);
/// Input 0 and output 0 share every axis but `except`.
std::vector<AxisRelation> axes_all_but(const AxesContext& ctx, const std::vector<std::int64_t>& except);
/// Input 0 and output 0 hold the same elements in the same order (Reshape, Flatten, Squeeze, Unsqueeze): axes that
/// merge or split are related by one part that they have in common: the leading one, whose indices each cover a block
/// (attention heads), or, by ctx.position, one behind it, which is run through repeatedly (the shuffle of channels, the
/// two directions of a recurrent layer, heads in the joint matrix of queries, keys and values, or merged with the
/// batch: [batch, heads·size] to [batch·heads, size]).
std::vector<AxisRelation> axes_reshape(const AxesContext& ctx);

}  // namespace pare::ir::ops
