// Gemm: Y = alpha · A' · B' + beta · C; A' [M, K], B' [K, N], C broadcasts to [M, N].
#include <algorithm>

#include "base/float16.h"
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/matrix.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  require_same_type(ctx);
  const Shape &a = ctx.in(0).shape, &b = ctx.in(1).shape;
  for (const Shape* shape : {&a, &b}) {
    if (shape->ranked() && shape->rank() != 2) ctx.fail("input has the wrong rank", "2", to_string(*shape));
  }
  const bool trans_a = ctx.node.int_or("transA", 0) != 0, trans_b = ctx.node.int_or("transB", 0) != 0;
  const Dim m = a.ranked() ? a[trans_a ? 1 : 0] : Dim(), n = b.ranked() ? b[trans_b ? 0 : 1] : Dim();
  if (a.ranked() && b.ranked()) require_same(ctx, a[trans_a ? 0 : 1], b[trans_b ? 1 : 0], "inner dimensions differ");
  const Shape out({m, n});
  const Shape& c = ctx.in(2).shape;
  if (ctx.has(2) && c.ranked()) {
    if (c.rank() > 2) ctx.fail("input C has too many axes", "rank 2 or less", to_string(c));
    if (!merge(broadcast(ctx, out, c), out))
      ctx.fail("input C does not broadcast to the product", to_string(out), to_string(c));
  }
  set_output(ctx, 0, ctx.in(0).dtype, out);
}

template <class T>
Tensor product_of(const EvaluateContext& ctx, const Tensor& a, const Tensor& b, const Tensor& c) {
  const bool trans_a = ctx.node.int_or("transA", 0) != 0, trans_b = ctx.node.int_or("transB", 0) != 0;
  const std::int64_t m = a.dim(trans_a ? 1 : 0), k = a.dim(trans_a ? 0 : 1), n = b.dim(trans_b ? 0 : 1);
  if (b.dim(trans_b ? 1 : 0) != k)
    ctx.fail("inner dimensions differ", std::to_string(k), std::to_string(b.dim(trans_b ? 1 : 0)));
  const MatrixView<T> left = {a.data<T>().data(), trans_a ? 1 : k, trans_a ? m : 1};
  const MatrixView<T> right = {b.data<T>().data(), trans_b ? 1 : n, trans_b ? k : 1};
  using Sum = SumOf<T>;
  const Sum alpha = static_cast<Sum>(ctx.node.float_or("alpha", 1)),
            beta = static_cast<Sum>(ctx.node.float_or("beta", 1));
  const Dims dims = {m, n};
  Dims fits;
  if (c.defined() && (!broadcast_dims(c.dims(), dims, fits) || fits != dims))
    ctx.fail("input C does not broadcast to the product", to_string(dims), to_string(c.dims()));
  const Tensor bias = c.defined() ? strided(c, dims, 0, broadcast_strides(c.dims(), dims)) : Tensor();
  Tensor y(dtype_of<T>, dims);
  T* out = y.mutable_data<T>().data();
  for (std::int64_t r = 0; r < m; ++r) {
    std::vector<Sum> row(static_cast<std::size_t>(n));
    multiply_row(left, r, right, k, row);
    for (std::int64_t j = 0; j < n; ++j, ++out) {
      Sum value = alpha * row[static_cast<std::size_t>(j)];
      if (bias.defined()) value += beta * static_cast<Sum>(bias.data<T>()[static_cast<std::size_t>(r * n + j)]);
      *out = static_cast<T>(value);
    }
  }
  return y;
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const DType dtype = ctx.in(0).dtype();
  const DType compute = is_integer(dtype) ? DType::kInt64 : dtype == DType::kFloat64 ? dtype : DType::kFloat32;
  const auto as_compute = [&](std::size_t slot) {
    if (!ctx.has(slot)) return Tensor();
    return ctx.in(slot).dtype() == compute ? ctx.in(slot) : cast(ctx.in(slot), compute);
  };
  const Tensor a = as_compute(0), b = as_compute(1), c = as_compute(2);
  if (a.rank() != 2 || b.rank() != 2)
    ctx.fail("input has the wrong rank", "2", to_string(a.rank() != 2 ? a.dims() : b.dims()));
  const Tensor y = compute == DType::kInt64     ? product_of<std::int64_t>(ctx, a, b, c)
                   : compute == DType::kFloat64 ? product_of<double>(ctx, a, b, c)
                                                : product_of<float>(ctx, a, b, c);
  return {dtype == compute ? y : cast(y, dtype)};
}

std::int64_t macs(const Node& node, std::span<const ValueFacts> in, std::span<const ValueFacts> out) {
  const Dims a = *in[0].shape.static_dims();
  return element_count(*out[0].shape.static_dims()) * a[node.int_or("transA", 0) != 0 ? 0 : 1];
}

std::vector<AxisRelation> axes(const AxesContext& ctx) {
  constexpr int kRows = 0, kInner = 1, kColumns = 2;
  const std::int64_t a = ctx.node.int_or("transA", 0) != 0 ? 1 : 0, b = ctx.node.int_or("transB", 0) != 0 ? 1 : 0;
  std::vector<AxisRelation> out = {input_axis(0, a, kRows),
                                   output_axis(0, 0, kRows),
                                   input_axis(0, 1 - a, kInner, Kind::kContracted),
                                   input_axis(1, b, kInner, Kind::kContracted),
                                   input_axis(1, 1 - b, kColumns),
                                   output_axis(0, 1, kColumns)};
  if (ctx.node.input(2) == kNoValue || !ctx.inputs[2].shape.ranked()) return out;
  const Shape& c = ctx.inputs[2].shape;
  for (std::int64_t axis = 0; axis < c.rank(); ++axis) {
    const std::int64_t to = axis + 2 - c.rank();
    if (c[axis] == Dim(1) && ctx.outputs[0].shape.ranked() && ctx.outputs[0].shape[to] != Dim(1)) continue;
    out.push_back(input_axis(2, axis, to == 0 ? kRows : kColumns));
  }
  return out;
}

}  // namespace

extern const Operator kGemm = {
    .op_type = "Gemm",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 3,
    .attributes = {"alpha", "beta", "transA", "transB"},
    .infer = infer,
    .evaluate = evaluate,
    .macs = macs,
    .axes = axes,
};

}  // namespace pare::ir::ops
