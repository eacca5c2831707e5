// Resize: nearest, linear and cubic interpolation along any axes, with every coordinate transform of opset 10 and later.
// Opset 10 has scales only; 11 adds roi, sizes and transforms; 18 antialias, axes and keep_aspect_ratio_policy.
#include "ir/ops/common/resize.h"

namespace pare::ir::ops {

extern const Operator kResize = {
    .op_type = "Resize",
    .since = 10,
    .min_inputs = 1,
    .max_inputs = 4,
    .attributes = {"antialias", "axes", "coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside",
                   "extrapolation_value", "keep_aspect_ratio_policy", "mode", "nearest_mode"},
    .infer = infer_resize,
    .evaluate = evaluate_resize,
    .axes = axes_resize,
};

}  // namespace pare::ir::ops
