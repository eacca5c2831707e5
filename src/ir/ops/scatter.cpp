// Scatter: the name of ScatterElements in opsets 9 and 10; later files may still use it.
#include "ir/ops/common/scatter.h"

namespace pare::ir::ops {

extern const Operator kScatter = {
    .op_type = "Scatter",
    .since = 9,
    .min_inputs = 3,
    .max_inputs = 3,
    .attributes = {"axis"},
    .infer = infer_scatter_elements,
    .evaluate = evaluate_scatter_elements,
};

}  // namespace pare::ir::ops
