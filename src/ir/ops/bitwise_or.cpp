// BitwiseOr: bits set in either, of integers with broadcasting.
#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return combine_integers(ctx, [](std::int64_t a, std::int64_t b, bool) { return a | b; });
}

}  // namespace

extern const Operator kBitwiseOr = binary_declaration("BitwiseOr", 18, {}, evaluate);

}  // namespace pare::ir::ops
