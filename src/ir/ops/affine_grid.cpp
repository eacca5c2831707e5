// AffineGrid: sampling positions for GridSample, theta [N, 2, 3] or [N, 3, 4] applied to the grid of `size` in [−1, 1].
#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  set_output(ctx, 0, ctx.in(0).dtype);
  const auto size = known_dims(ctx, 1);
  if (!size) return;
  if (size->size() != 4 && size->size() != 5)
    ctx.fail("size has the wrong length", "4 or 5", std::to_string(size->size()));
  std::vector<Dim> dims = {(*size)[0]};
  dims.insert(dims.end(), size->begin() + 2, size->end());
  dims.emplace_back(static_cast<std::int64_t>(size->size()) - 2);
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
}

/// Position i of n on an axis that spans [−1, 1]; without align_corners the ends are the borders of the outer pixels.
double position(std::int64_t i, std::int64_t n, bool align_corners) {
  const auto at = static_cast<double>(i), count = static_cast<double>(n);
  if (align_corners) return n == 1 ? 0 : 2 * at / (count - 1) - 1;
  return (2 * at + 1) / count - 1;
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& theta = ctx.in(0);
  const std::vector<std::int64_t> size = to_ints(ctx.in(1));
  const auto spatial = static_cast<std::int64_t>(size.size()) - 2;
  if (spatial != 2 && spatial != 3) ctx.fail("size has the wrong length", "4 or 5", std::to_string(size.size()));
  if (theta.dims() != Dims{size[0], spatial, spatial + 1})
    ctx.fail("theta has the wrong shape", to_string(Dims{size[0], spatial, spatial + 1}), to_string(theta.dims()));
  const bool align = ctx.node.int_or("align_corners", 0) != 0;
  const Dims grid(size.begin() + 2, size.end());
  Dims dims = {size[0]};
  dims.insert(dims.end(), grid.begin(), grid.end());
  dims.push_back(spatial);
  require_room(ctx, dims);
  const Dims strides = strides_of(grid);
  const std::int64_t points = element_count(grid);
  const std::vector<double> matrix = to_doubles(theta);
  std::vector<double> out;
  out.reserve(static_cast<std::size_t>(element_count(dims)));
  for (std::int64_t n = 0; n < size[0]; ++n) {
    for (std::int64_t p = 0; p < points; ++p) {
      for (std::int64_t row = 0; row < spatial; ++row) {
        const double* weights = matrix.data() + (n * spatial + row) * (spatial + 1);
        double sum = weights[spatial];
        for (std::int64_t c = 0; c < spatial; ++c) {  // coordinates run x, y, z; axes z, y, x
          const auto axis = static_cast<std::size_t>(spatial - 1 - c);
          sum += weights[c] * position(p / strides[axis] % grid[axis], grid[axis], align);
        }
        out.push_back(sum);
      }
    }
  }
  return {from_doubles(theta.dtype(), dims, out)};
}

}  // namespace

extern const Operator kAffineGrid = {
    .op_type = "AffineGrid",
    .since = 20,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {"align_corners"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
