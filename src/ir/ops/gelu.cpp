// Gelu: y = x·Φ(x), or its tanh approximation (Hendrycks and Gimpel, 2016).
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

RealMap make(const Node& node) {
  if (node.string_or("approximate", "none") == "tanh")
    return [](double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); };
  return [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2))); };
}

}  // namespace

extern const Operator kGelu = unary_operator<make>("Gelu", 20, {"approximate"});

}  // namespace pare::ir::ops
