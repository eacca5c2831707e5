// Whether a value will lie in panels (runtime/panels.h), foretold before the steps around it are chosen: a product with
// sparse weights is to be timed as it will run.
#pragma once

#include "runtime/lowerer.h"

namespace pare::runtime {

/// Convolutions with sparse weights write and read the value, apart from clamps and additions, which join them.
bool is_between_sparse(Lowerer& lw, ir::ValueId value);

}  // namespace pare::runtime
