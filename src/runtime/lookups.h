// Whatever is computed from one 8-bit tensor alone, element by element, has 256 results: a table.
#pragma once

#include "ir/model.h"

namespace pare::runtime {

/// Of a private copy, once shapes are known:
///   x_q → DequantizeLinear → unary and binary operators, other QuantizeLinear / DequantizeLinear pairs … →
///   QuantizeLinear → y_q becomes   x_q → Lookup (domain pare) → y_q.
/// Binary operators take constants of one element, or two results of the same x_q: what exporters write for GELU, Swish
/// or HardSwish between quantized tensors is one node then. Exact: the table is what the reference says of all 256
/// inputs. Conditions: 8 bits, parameters constant and per tensor, all shapes the same.
void fold_into_lookups(ir::Model& model);

}  // namespace pare::runtime
