// Range: start, start + delta, … below (or, for a negative delta, above) limit.
#include <algorithm>
#include <cmath>

#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  require_same_type(ctx);
  Dim length;
  const ValueFacts &start = ctx.in(0), &limit = ctx.in(1), &delta = ctx.in(2);
  // 0 … n−1 for a symbol n; all-constant ranges are evaluated.
  const auto is = [](const ValueFacts& facts, std::int64_t value) {
    return facts.elements && facts.elements->size() == 1 && (*facts.elements)[0] == Dim(value);
  };
  if (is(start, 0) && is(delta, 1) && limit.elements && limit.elements->size() == 1) length = (*limit.elements)[0];
  set_output(ctx, 0, start.dtype, Shape({length}));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const DType dtype = ctx.in(0).dtype();
  if (is_integer(dtype)) {
    const std::int64_t start = to_ints(ctx.in(0)).at(0), limit = to_ints(ctx.in(1)).at(0),
                       delta = to_ints(ctx.in(2)).at(0);
    if (delta == 0) ctx.fail("delta is zero");
    const std::uint64_t distance = delta > 0 ? static_cast<std::uint64_t>(limit) - static_cast<std::uint64_t>(start)
                                             : static_cast<std::uint64_t>(start) - static_cast<std::uint64_t>(limit),
                        step = delta > 0 ? static_cast<std::uint64_t>(delta) : 0 - static_cast<std::uint64_t>(delta);
    const bool empty = delta > 0 ? limit <= start : limit >= start;
    const std::uint64_t count = empty ? 0 : (distance - 1) / step + 1;
    require_room(ctx, {static_cast<std::int64_t>(count >> 1), 2});  // halved: it may be past 63 bits
    std::vector<std::int64_t> out;
    for (std::uint64_t i = 0; i < count; ++i)
      out.push_back(
          static_cast<std::int64_t>(static_cast<std::uint64_t>(start) + i * static_cast<std::uint64_t>(delta)));
    return {from_ints(dtype, {static_cast<std::int64_t>(out.size())}, out)};
  }
  const double start = to_doubles(ctx.in(0)).at(0), limit = to_doubles(ctx.in(1)).at(0),
               delta = to_doubles(ctx.in(2)).at(0);
  if (delta == 0) ctx.fail("delta is zero");
  const double count = std::max(0.0, std::ceil((limit - start) / delta));
  if (std::isnan((limit - start) / delta) || !(count < 1e18))
    ctx.fail("range is out of range", "finite numbers", std::to_string(start) + " to " + std::to_string(limit));
  require_room(ctx, {static_cast<std::int64_t>(count)});
  std::vector<double> out(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = start + static_cast<double>(i) * delta;
  return {from_doubles(dtype, {static_cast<std::int64_t>(out.size())}, out)};
}

}  // namespace

extern const Operator kRange = {
    .op_type = "Range",
    .since = 11,
    .min_inputs = 3,
    .max_inputs = 3,
    .attributes = {"stash_type"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
