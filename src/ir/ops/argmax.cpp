// ArgMax: index of the largest element along an axis; the first, or with select_last_index the last.
#include "ir/ops/common/arg.h"

namespace pare::ir::ops {

extern const Operator kArgMax = arg_operator<1>("ArgMax");

}  // namespace pare::ir::ops
