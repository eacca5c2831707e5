// Mod: remainder with the sign of the divisor, or with fmod = 1 of the dividend (C's).
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

double real_remainder(double a, double b, bool c_style) {
  const double rest = std::fmod(a, b);
  return !c_style && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

std::int64_t integer_remainder(std::int64_t a, std::int64_t b, bool is_unsigned, bool c_style) {
  if (is_unsigned) return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) % static_cast<std::uint64_t>(b));
  if (b == -1) return 0;  // INT64_MIN % -1 overflows
  const std::int64_t rest = a % b;
  return !c_style && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const bool c_style = ctx.node.int_or("fmod", 0) != 0;
  return combine_two(ctx, {[=](double a, double b) { return real_remainder(a, b, c_style); },
                           [&](std::int64_t a, std::int64_t b, bool is_unsigned) {
                             if (b == 0) ctx.fail("integer division by zero");
                             return integer_remainder(a, b, is_unsigned, c_style);
                           }});
}

}  // namespace

extern const Operator kMod = binary_declaration("Mod", 10, {"fmod"}, evaluate);

}  // namespace pare::ir::ops
