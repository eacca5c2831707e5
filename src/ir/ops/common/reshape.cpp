#include "ir/ops/common/reshape.h"

#include <algorithm>

namespace pare::ir::ops {

void set_reshaped(InferContext& ctx, Shape shape) {
  const auto& elements = ctx.in(0).elements;
  if (elements && shape.ranked() && shape.rank() <= 1) ctx.outputs[0].elements = elements;
  set_output(ctx, 0, ctx.in(0).dtype, std::move(shape));
}

Dim remaining(const InferContext& ctx, const Shape& total, std::span<const Dim> taken) {
  if (!total.ranked()) return {};
  std::int64_t over = 1, under = 1;
  bool overflow = false;
  std::vector<Dim> open;
  for (const Dim& dim : total.dims()) {
    if (dim.is_known())
      overflow = overflow || __builtin_mul_overflow(over, dim.value(), &over);
    else
      open.push_back(dim);
  }
  for (const Dim& dim : taken) {
    if (dim.is_known()) {
      if (__builtin_mul_overflow(under, dim.value(), &under))
        ctx.fail("the elements do not fit the shape", "sizes whose product has 63 bits",
                 to_string(Shape({taken.begin(), taken.end()})));
      continue;
    }
    const auto same = std::ranges::find_if(open, [&](const Dim& d) { return d.same_as(dim); });
    if (same == open.end()) return {};
    open.erase(same);
  }
  if (overflow) return {};
  if (under == 0) return over == 0 ? Dim() : Dim(0);
  if (open.empty() && over % under != 0) {
    ctx.fail("the elements do not fit the shape", "a multiple of " + std::to_string(under), std::to_string(over));
  }
  if (open.empty()) return Dim(over / under);
  return open.size() == 1 && over == under ? open[0] : Dim();
}

}  // namespace pare::ir::ops
