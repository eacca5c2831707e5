// GlobalLpPool: p-norm of each [n, c] plane; spatial axes become 1.
#include <cmath>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/numeric.h"
#include "ir/ops/common/pooling.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (x.rank() < 3) ctx.fail("input has too few axes", "rank 3 or more", to_string(x.dims()));
  const auto p = static_cast<double>(ctx.node.int_or("p", 2));
  if (p < 1) ctx.fail("attribute 'p' is out of range", "1 or more", std::to_string(p));
  Dims dims(x.dims().size(), 1);
  dims[0] = x.dim(0);
  dims[1] = x.dim(1);
  const std::vector<double> values = to_doubles(x);
  std::vector<double> out(static_cast<std::size_t>(element_count(dims)));
  const std::size_t size = out.empty() ? 1 : values.size() / out.size();
  for (std::size_t i = 0; i < values.size(); ++i) out[i / size] += std::pow(std::abs(values[i]), p);
  for (double& value : out) value = std::pow(value, 1 / p);
  return {from_doubles(x.dtype(), dims, out)};
}

}  // namespace

extern const Operator kGlobalLpPool = {
    .op_type = "GlobalLpPool",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"p"},
    .infer = infer_global_pooling,
    .evaluate = evaluate,
    .axes = axes_pooling,
};

}  // namespace pare::ir::ops
