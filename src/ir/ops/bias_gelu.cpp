// BiasGelu (com.microsoft): Gelu(A + B).
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) { e.output(0, e.gelu(e.add("Add", {e.in(0), e.in(1)}))); }

}  // namespace

extern const Expand expandBiasGelu = expand;
extern const Operator kBiasGelu = expanded_operator<expand>("BiasGelu", kMicrosoft, 2, 2, {});

}  // namespace pare::ir::ops
