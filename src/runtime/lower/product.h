// What convolutions and matrix products share: what follows them, and their integer form.
#pragma once

#include <vector>

#include "kernels/conv/conv.h"
#include "kernels/float_epilogue.h"
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

/// The follow-ups as our own kernels have them: an activation, an addition, a clamp, each or none; nullopt when they
/// are anything else. `add`, `out`: types of what is added and written.
std::optional<kernels::FloatEpilogue> float_epilogue(const Group& group, DType add, DType out);

/// The integer form over `shape`; `layout` of input, residual and output. Returns why not.
std::optional<std::string> lower_integer(Lowerer& lw, const Group& group, const kernels::ConvShape& shape,
                                         const kernels::FilterStrides& strides, Layout layout);

}  // namespace pare::runtime
