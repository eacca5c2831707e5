// Cast with strings, as Cast and CastLike share it.
#pragma once

#include "ir/op.h"

namespace pare::ir::ops {

/// Input 0 as `to`. Numbers become the shortest text that reads back as they ("NaN", "INF", "-INF" for what is no
/// number); text that is no number is an error that names it.
Tensor cast_element_type(const EvaluateContext& ctx, DType to);

}  // namespace pare::ir::ops
