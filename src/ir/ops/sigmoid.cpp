// Sigmoid: y = 1 / (1 + exp(−x)).
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double apply(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

extern const Operator kSigmoid = unary_operator<apply>("Sigmoid", 7);

}  // namespace pare::ir::ops
