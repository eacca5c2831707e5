// What convolutions and matrix products share: what follows them, and their integer form.
#pragma once

#include <vector>

#include "kernels/conv/conv.h"
#include "kernels/qconv/qconv.h"
#include "runtime/lowerer.h"
#include "runtime/onednn.h"

namespace pare::runtime {

/// The group's follow-ups as oneDNN takes them; all of them are of kinds that it fuses.
std::vector<onednn::PostOp> post_ops(const Group& group);
/// The value that the group adds, kNoValue when none.
ir::ValueId added_value(const Group& group);
/// The follow-ups as one clamp after the addition; nullopt when they are anything else.
std::optional<Clamp> final_clamp(const Group& group);

/// The integer form over `shape`; `layout` of input, residual and output. Returns why not.
std::optional<std::string> lower_integer(Lowerer& lw, const Group& group, const kernels::ConvShape& shape,
                                         const kernels::FilterStrides& strides, Layout layout);

}  // namespace pare::runtime
