// FusedConv (com.microsoft): activation(Conv(X, W, B) + Z).
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  ValueId y = e.add("Conv", {e.in(0), e.in(1), e.in(2)},
                    e.own({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}));
  if (e.has(3)) y = e.add("Add", {y, e.in(3)});
  e.output(0, e.activation(y, e.node().floats_or("activation_params", {})));
}

}  // namespace

extern const Expand expandFusedConv = expand;
extern const Operator kFusedConv = expanded_operator<expand>(
    "FusedConv", kMicrosoft, 2, 4,
    {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides", "activation", "activation_params"});

}  // namespace pare::ir::ops
