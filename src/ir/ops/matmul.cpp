// MatMul: numpy.matmul; leading axes broadcast, vectors are promoted.
#include <algorithm>

#include "base/float16.h"
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/matrix.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

Shape leading(const Shape& shape) {
  return Shape(std::vector<Dim>(shape.dims().begin(), shape.dims().end() - std::min<std::ptrdiff_t>(2, shape.rank())));
}

void infer(InferContext& ctx) {
  require_same_type(ctx);
  const Shape &a = ctx.in(0).shape, &b = ctx.in(1).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  if (!a.ranked() || !b.ranked()) return;
  require_rank_at_least(ctx, 0, 1);
  require_rank_at_least(ctx, 1, 1);
  require_same(ctx, a[-1], b[b.rank() > 1 ? -2 : 0], "inner dimensions differ");
  Shape out = broadcast(ctx, leading(a), leading(b));
  if (a.rank() > 1) out.dims().push_back(a[-2]);
  if (b.rank() > 1) out.dims().push_back(b[-1]);
  set_output(ctx, 0, ctx.in(0).dtype, std::move(out));
}

template <class T>
Tensor multiply(const EvaluateContext& ctx, const Tensor& a, const Tensor& b) {
  Dims a_dims = a.dims(), b_dims = b.dims();
  if (a_dims.size() == 1) a_dims.insert(a_dims.begin(), 1);
  if (b_dims.size() == 1) b_dims.push_back(1);
  const std::int64_t m = a_dims.end()[-2], k = a_dims.back(), n = b_dims.back();
  if (b_dims.end()[-2] != k) ctx.fail("inner dimensions differ", std::to_string(k), std::to_string(b_dims.end()[-2]));
  const Dims a_lead(a_dims.begin(), a_dims.end() - 2), b_lead(b_dims.begin(), b_dims.end() - 2);
  Dims dims;
  if (!broadcast_dims(a_lead, b_lead, dims))
    ctx.fail("leading axes do not broadcast", to_string(a_lead), to_string(b_lead));
  std::vector<std::int64_t> a_at, b_at;
  for_each_strided(dims, 0, broadcast_strides(a_lead, dims),
                   [&](std::int64_t, std::int64_t j) { a_at.push_back(j * m * k); });
  for_each_strided(dims, 0, broadcast_strides(b_lead, dims),
                   [&](std::int64_t, std::int64_t j) { b_at.push_back(j * k * n); });
  if (a.rank() > 1) dims.push_back(m);
  if (b.rank() > 1) dims.push_back(n);
  Tensor y(dtype_of<T>, dims);
  T* out = y.mutable_data<T>().data();
  for (std::size_t batch = 0; batch < a_at.size(); ++batch) {
    const MatrixView<T> left = {a.data<T>().data() + a_at[batch], k, 1},
                        right = {b.data<T>().data() + b_at[batch], n, 1};
    for (std::int64_t r = 0; r < m; ++r) {
      std::vector<SumOf<T>> row(static_cast<std::size_t>(n));
      multiply_row(left, r, right, k, row);
      for (SumOf<T> value : row) *out++ = static_cast<T>(value);
    }
  }
  return y;
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const DType dtype = ctx.in(0).dtype();
  const DType compute = is_integer(dtype) ? DType::kInt64 : dtype == DType::kFloat64 ? dtype : DType::kFloat32;
  const auto as_compute = [&](std::size_t slot) {
    return ctx.in(slot).dtype() == compute ? ctx.in(slot) : cast(ctx.in(slot), compute);
  };
  const Tensor a = as_compute(0), b = as_compute(1);
  if (a.rank() == 0 || b.rank() == 0) ctx.fail("input has too few axes", "rank 1 or more", "a scalar");
  const Tensor y = compute == DType::kInt64     ? multiply<std::int64_t>(ctx, a, b)
                   : compute == DType::kFloat64 ? multiply<double>(ctx, a, b)
                                                : multiply<float>(ctx, a, b);
  return {dtype == compute ? y : cast(y, dtype)};
}

std::int64_t macs(const Node&, std::span<const ValueFacts> in, std::span<const ValueFacts> out) {
  return element_count(*out[0].shape.static_dims()) * in[0].shape[-1].value();
}

std::vector<AxisRelation> axes(const AxesContext& ctx) {
  const Shape &a = ctx.inputs[0].shape, &b = ctx.inputs[1].shape, &y = ctx.outputs[0].shape;
  std::vector<AxisRelation> out;
  if (!a.ranked() || !b.ranked() || !y.ranked()) return out;
  const int inner = static_cast<int>(y.rank());  // labels below it are output axes
  out.push_back(input_axis(0, a.rank() - 1, inner, Kind::kContracted));
  out.push_back(input_axis(1, b.rank() > 1 ? b.rank() - 2 : 0, inner, Kind::kContracted));
  for (std::int64_t axis = 0; axis < y.rank(); ++axis) out.push_back(output_axis(0, axis, static_cast<int>(axis)));
  std::int64_t last = y.rank();
  if (b.rank() > 1) out.push_back(input_axis(1, b.rank() - 1, static_cast<int>(--last)));
  if (a.rank() > 1) out.push_back(input_axis(0, a.rank() - 2, static_cast<int>(--last)));
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const Shape& shape = ctx.inputs[slot].shape;
    for (std::int64_t axis = 0; axis < shape.rank() - 2; ++axis) {
      const std::int64_t to = axis + last - (shape.rank() - 2);
      if (shape[axis] != Dim(1) || y[to] == Dim(1)) out.push_back(input_axis(slot, axis, static_cast<int>(to)));
    }
  }
  return out;
}

}  // namespace

extern const Operator kMatMul = {
    .op_type = "MatMul",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .evaluate = evaluate,
    .macs = macs,
    .axes = axes,
};

}  // namespace pare::ir::ops
