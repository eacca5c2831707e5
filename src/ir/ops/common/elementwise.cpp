#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

template <class T, class F>
std::vector<T> broadcast_apply(const std::vector<T>& a, const Dims& a_strides, const std::vector<T>& b,
                               const Dims& b_strides, const Dims& dims, F&& f) {
  std::vector<T> out(static_cast<std::size_t>(element_count(dims)));
  for_each_strided(dims, 0, a_strides, [&](std::int64_t i, std::int64_t j) {
    out[static_cast<std::size_t>(i)] = a[static_cast<std::size_t>(j)];
  });
  for_each_strided(dims, 0, b_strides, [&](std::int64_t i, std::int64_t j) {
    out[static_cast<std::size_t>(i)] = f(out[static_cast<std::size_t>(i)], b[static_cast<std::size_t>(j)]);
  });
  return out;
}

}  // namespace

std::vector<Tensor> map(const EvaluateContext& ctx, const RealMap& real, const IntMap& integer) {
  const Tensor& x = ctx.in(0);
  if (is_float(x.dtype())) {
    std::vector<double> values = to_doubles(x);
    for (double& value : values) value = real(value);
    return {from_doubles(x.dtype(), x.dims(), values)};
  }
  if (!integer || x.dtype() == DType::kString)
    ctx.fail("input has the wrong type", "a float type", std::string(name(x.dtype())));
  std::vector<std::int64_t> values = to_ints(x);
  for (std::int64_t& value : values) value = integer(value);
  return {from_ints(x.dtype(), x.dims(), values)};
}

Operator unary_declaration(std::string_view type, std::int64_t since, std::vector<std::string_view> attributes,
                           std::vector<Tensor> (*evaluate)(const EvaluateContext&)) {
  return {
      .op_type = type,
      .since = since,
      .min_inputs = 1,
      .max_inputs = 1,
      .attributes = std::move(attributes),
      .infer = infer_same,
      .evaluate = evaluate,
      .axes = axes_broadcast,
      .elementwise = true,
  };
}

std::vector<Tensor> test_each(const EvaluateContext& ctx, bool (*test)(const Node&, double)) {
  const Tensor& x = ctx.in(0);
  if (!is_float(x.dtype())) ctx.fail("input has the wrong type", "a float type", std::string(name(x.dtype())));
  std::vector<std::int64_t> out;
  for (double value : to_doubles(x)) out.push_back(test(ctx.node, value) ? 1 : 0);
  return {from_ints(DType::kBool, x.dims(), out)};
}

Operator binary_declaration(std::string_view type, std::int64_t since, std::vector<std::string_view> attributes,
                            std::vector<Tensor> (*evaluate)(const EvaluateContext&)) {
  Operator out = unary_declaration(type, since, std::move(attributes), evaluate);
  out.min_inputs = out.max_inputs = 2;
  out.infer = infer_broadcast;
  return out;
}

Tensor combine(const EvaluateContext& ctx, const Tensor& a, const Tensor& b, DType out, const Combination& rule) {
  Dims dims;
  if (!broadcast_dims(a.dims(), b.dims(), dims))
    ctx.fail("inputs do not broadcast", to_string(a.dims()), to_string(b.dims()));
  const Dims a_strides = broadcast_strides(a.dims(), dims), b_strides = broadcast_strides(b.dims(), dims);
  if (is_float(a.dtype()) || is_float(b.dtype()) || !rule.integer) {
    const std::vector<double> values =
        broadcast_apply(to_doubles(a), a_strides, to_doubles(b), b_strides, dims, rule.real);
    return from_doubles(out, dims, values);
  }
  const bool is_unsigned = a.dtype() == DType::kUint64;
  const auto values = broadcast_apply(to_ints(a), a_strides, to_ints(b), b_strides, dims,
                                      [&](std::int64_t x, std::int64_t y) { return rule.integer(x, y, is_unsigned); });
  return from_ints(out, dims, values);
}

std::vector<Tensor> combine_two(const EvaluateContext& ctx, const Combination& rule) {
  return {combine(ctx, ctx.in(0), ctx.in(1), ctx.in(0).dtype(), rule)};
}

std::vector<Tensor> combine_integers(
    const EvaluateContext& ctx, const std::function<std::int64_t(std::int64_t, std::int64_t, bool is_unsigned)>& rule) {
  for (std::size_t slot = 0; slot < 2; ++slot) {
    if (!is_integer(ctx.in(slot).dtype()))
      ctx.fail("input " + std::to_string(slot) + " has the wrong type", "an integer type",
               std::string(name(ctx.in(slot).dtype())));
  }
  return combine_two(ctx, {nullptr, rule});
}

std::vector<Tensor> combine_all(const EvaluateContext& ctx, const Combination& rule) {
  Tensor out = ctx.in(0);
  for (std::size_t slot = 1; slot < ctx.inputs.size(); ++slot) out = combine(ctx, out, ctx.in(slot), out.dtype(), rule);
  return {out};
}

std::vector<Tensor> compare(const EvaluateContext& ctx, const Combination& rule) {
  return {combine(ctx, ctx.in(0), ctx.in(1), DType::kBool, rule)};
}

}  // namespace pare::ir::ops
