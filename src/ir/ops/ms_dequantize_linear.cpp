// DequantizeLinear (com.microsoft): as in ai.onnx, over 16 and 4 bits too.
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  std::int64_t axis = e.node().int_or("axis", 1);
  e.output(0, e.dequantize(e.in(0), 1, 2, axis));
}

}  // namespace

extern const Expand expandMsDequantizeLinear = expand;
extern const Operator kMsDequantizeLinear =
    expanded_operator<expand>("DequantizeLinear", kMicrosoft, 2, 3, {"axis", "block_size"});

}  // namespace pare::ir::ops
