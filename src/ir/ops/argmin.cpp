// ArgMin: index of the smallest element along an axis; the first, or with select_last_index the last.
#include "ir/ops/common/arg.h"

namespace pare::ir::ops {

extern const Operator kArgMin = arg_operator<-1>("ArgMin");

}  // namespace pare::ir::ops
