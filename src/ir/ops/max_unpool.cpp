// MaxUnpool: elements put back where MaxPool's indices say, zeros elsewhere. The indices count in the shape that undoes
// the pooling; an explicit output_shape of another size places that result at its start.
#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"
#include "ir/ops/common/window.h"

namespace pare::ir::ops {
namespace {

template <class Context>
Window window_of(const Context& ctx) {
  const std::vector<std::int64_t> kernel = ctx.node.ints_or("kernel_shape", {});
  if (kernel.empty()) ctx.fail("attribute 'kernel_shape' is missing");
  return read_window(ctx, kernel);
}

std::int64_t unpooled(const Window& w, std::size_t axis, std::int64_t in) {
  return (in - 1) * w.strides[axis] + w.kernel[axis] - w.pads[axis] - w.pads[axis + w.kernel.size()];
}

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  const Window window = window_of(ctx);
  set_output(ctx, 0, ctx.in(0).dtype);
  if (!x.ranked()) return;
  if (x.rank() != static_cast<std::int64_t>(window.kernel.size()) + 2)
    ctx.fail("input has the wrong rank", std::to_string(window.kernel.size() + 2), to_string(x));
  std::vector<Dim> dims = {x[0], x[1]};
  dims.resize(static_cast<std::size_t>(x.rank()));
  if (!ctx.has(2)) {
    for (std::size_t i = 0; i < window.kernel.size(); ++i) {
      const Dim& in = x[static_cast<std::int64_t>(i) + 2];
      if (in.is_known()) dims[i + 2] = Dim(unpooled(window, i, in.value()));
    }
  } else if (const auto shape = known_dims(ctx, 2)) {
    if (shape->size() != dims.size())
      ctx.fail("output_shape has the wrong length", std::to_string(dims.size()), std::to_string(shape->size()));
    dims = *shape;
  }
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor &x = ctx.in(0), &indices = ctx.in(1);
  const Window window = window_of(ctx);
  if (x.rank() != static_cast<std::int64_t>(window.kernel.size()) + 2)
    ctx.fail("input has the wrong rank", std::to_string(window.kernel.size() + 2), to_string(x.dims()));
  if (indices.dims() != x.dims())
    ctx.fail("indices have the wrong shape", to_string(x.dims()), to_string(indices.dims()));
  Dims natural = {x.dim(0), x.dim(1)};
  for (std::size_t i = 0; i < window.kernel.size(); ++i) natural.push_back(unpooled(window, i, x.dims()[i + 2]));
  const Dims dims = ctx.has(2) ? to_ints(ctx.in(2)) : natural;
  if (dims.size() != natural.size())
    ctx.fail("output_shape has the wrong length", std::to_string(natural.size()), std::to_string(dims.size()));
  require_room(ctx, natural);
  require_room(ctx, dims);
  const Dims from = strides_of(natural), to = strides_of(dims);
  const std::vector<std::int64_t> wanted = to_ints(indices);
  const std::vector<double> values = to_doubles(x);
  std::vector<double> out(static_cast<std::size_t>(element_count(dims)));
  const std::int64_t count = element_count(natural);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] < 0 || wanted[i] >= count)
      ctx.fail("index out of range", "0 to " + std::to_string(count - 1), std::to_string(wanted[i]));
    std::int64_t target = 0;
    bool inside = true;
    for (std::size_t a = 0; a < dims.size(); ++a) {
      const std::int64_t at = wanted[i] / from[a] % natural[a];
      inside = inside && at < dims[a];
      target += at * to[a];
    }
    if (inside) out[static_cast<std::size_t>(target)] = values[i];
  }
  return {from_doubles(x.dtype(), dims, out)};
}

}  // namespace

extern const Operator kMaxUnpool = {
    .op_type = "MaxUnpool",
    .since = 9,
    .min_inputs = 2,
    .max_inputs = 3,
    .attributes = {"kernel_shape", "pads", "strides"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
