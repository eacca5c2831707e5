// Det: determinants of square matrices, by elimination with partial pivoting.
#include <algorithm>
#include <cmath>

#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  require_rank_at_least(ctx, 0, 2);
  if (!x.ranked()) return;
  require_same(ctx, x[-2], x[-1], "matrices are not square");
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::vector<Dim>(x.dims().begin(), x.dims().end() - 2)));
}

/// Overwrites the n×n matrix.
double determinant(double* a, std::int64_t n) {
  double out = 1;
  for (std::int64_t column = 0; column < n; ++column) {
    std::int64_t pivot = column;
    for (std::int64_t row = column + 1; row < n; ++row) {
      if (std::abs(a[row * n + column]) > std::abs(a[pivot * n + column])) pivot = row;
    }
    const double lead = a[pivot * n + column];
    if (lead == 0) return 0;
    if (pivot != column) {
      std::swap_ranges(a + pivot * n, a + (pivot + 1) * n, a + column * n);
      out = -out;
    }
    out *= lead;
    for (std::int64_t row = column + 1; row < n; ++row) {
      const double factor = a[row * n + column] / lead;
      for (std::int64_t i = column; i < n; ++i) a[row * n + i] -= factor * a[column * n + i];
    }
  }
  return out;
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (x.rank() < 2 || x.dim(-1) != x.dim(-2)) ctx.fail("matrices are not square", "[…, M, M]", to_string(x.dims()));
  const Dims dims(x.dims().begin(), x.dims().end() - 2);
  const std::int64_t n = x.dim(-1);
  std::vector<double> values = to_doubles(x), out(static_cast<std::size_t>(element_count(dims)));
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = determinant(values.data() + static_cast<std::int64_t>(i) * n * n, n);
  return {from_doubles(x.dtype(), dims, out)};
}

}  // namespace

extern const Operator kDet = {
    .op_type = "Det",
    .since = 11,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
