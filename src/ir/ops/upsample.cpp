// Upsample: Resize's predecessor. Scales are an attribute before opset 9, an input in it; from opset 10 files should
// use Resize, but exporters kept the name.
#include "ir/ops/common/resize.h"

namespace pare::ir::ops {

extern const Operator kUpsample = {
    .op_type = "Upsample",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 2,
    .attributes = {"mode", "scales"},
    .infer = infer_resize,
    .evaluate = evaluate_resize,
    .axes = axes_resize,
};

}  // namespace pare::ir::ops
