// ScatterElements: data with data[…, indices[i], …] replaced by, or from opset 16 combined with, updates[i].
#include "ir/ops/common/scatter.h"

namespace pare::ir::ops {

extern const Operator kScatterElements = {
    .op_type = "ScatterElements",
    .since = 11,
    .min_inputs = 3,
    .max_inputs = 3,
    .attributes = {"axis", "reduction"},
    .infer = infer_scatter_elements,
    .evaluate = evaluate_scatter_elements,
};

}  // namespace pare::ir::ops
