// Gelu (com.microsoft): x · Φ(x).
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) { e.output(0, e.gelu(e.in(0))); }

}  // namespace

extern const Expand expandMsGelu = expand;
extern const Operator kMsGelu = expanded_operator<expand>("Gelu", kMicrosoft, 1, 1, {});

}  // namespace pare::ir::ops
