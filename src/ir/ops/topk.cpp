// TopK: the k largest (or smallest) elements along an axis and their indices; equal ones by the lower index, NaN counts
// as largest. k is an attribute before opset 10, an input from it.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/lines.h"

namespace pare::ir::ops {
namespace {

constexpr std::int64_t kInputSince = 10;

void check_k(const auto& ctx, std::int64_t k, std::int64_t length) {
  if (k < 0 || k > length) ctx.fail("k is out of range", "0 to " + std::to_string(length), std::to_string(k));
}

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  set_output(ctx, 1, DType::kInt64);
  if (!x.ranked()) return;
  const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", -1), x.rank());
  std::vector<Dim> dims = x.dims();
  Dim& kept = dims[static_cast<std::size_t>(axis)];
  if (ctx.opset < kInputSince) {
    kept = Dim(required_int(ctx, "k"));
  } else {
    const auto k = known_dims(ctx, 1);
    kept = k && k->size() == 1 ? (*k)[0] : Dim();
  }
  if (kept.is_known() && x[axis].is_known()) check_k(ctx, kept.value(), x[axis].value());
  set_output(ctx, 0, ctx.in(0).dtype, Shape(dims));
  set_output(ctx, 1, DType::kInt64, Shape(dims));
}

/// Orders elements of any numeric type: floats with NaN last, integers exactly.
class Order {
 public:
  explicit Order(const Tensor& x) {
    if (is_float(x.dtype())) {
      reals_ = to_doubles(x);
    } else {
      ints_ = to_ints(x);
      if (x.dtype() == DType::kUint64)  // flipping the top bit makes the signed order the unsigned one
        for (std::int64_t& value : ints_)
          value = static_cast<std::int64_t>(static_cast<std::uint64_t>(value) ^ (1ULL << 63));
    }
  }
  bool below(std::int64_t a, std::int64_t b) const {
    const auto i = static_cast<std::size_t>(a), j = static_cast<std::size_t>(b);
    if (reals_.empty()) return ints_[i] < ints_[j];
    if (std::isnan(reals_[j])) return !std::isnan(reals_[i]);
    return reals_[i] < reals_[j];
  }

 private:
  std::vector<double> reals_;
  std::vector<std::int64_t> ints_;
};

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", -1), x.rank());
  const std::int64_t k = ctx.opset < kInputSince ? ctx.node.int_or("k", 0) : scalar_int(ctx, 1, "k");
  const bool largest = ctx.node.int_or("largest", 1) != 0;
  const Lines lines = lines_of(x.dims(), axis);
  check_k(ctx, k, lines.length);
  Dims dims = x.dims();
  dims[static_cast<std::size_t>(axis)] = k;
  const Lines to = lines_of(dims, axis);
  std::vector<std::int64_t> indices(static_cast<std::size_t>(element_count(dims))), sources(indices.size());
  std::vector<std::int64_t> line(static_cast<std::size_t>(lines.length));
  const Order order(x);
  for (std::int64_t l = 0; l < lines.count && k > 0; ++l) {
    const std::int64_t start = lines.start(l);
    std::iota(line.begin(), line.end(), 0);
    std::partial_sort(line.begin(), line.begin() + k, line.end(), [&](std::int64_t a, std::int64_t b) {
      const std::int64_t i = start + a * lines.stride, j = start + b * lines.stride;
      if (largest ? order.below(j, i) : order.below(i, j)) return true;
      if (largest ? order.below(i, j) : order.below(j, i)) return false;
      return a < b;
    });
    for (std::int64_t i = 0; i < k; ++i) {
      const auto at = static_cast<std::size_t>(to.start(l) + i * to.stride);
      indices[at] = line[static_cast<std::size_t>(i)];
      sources[at] = start + indices[at] * lines.stride;
    }
  }
  const Tensor values = pick({&x, 1}, dims, [&](std::int64_t i) {
    return std::pair<std::size_t, std::int64_t>(0, sources[static_cast<std::size_t>(i)]);
  });
  return {values, from_ints(DType::kInt64, dims, indices)};
}

}  // namespace

extern const Operator kTopK = {
    .op_type = "TopK",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 2,
    .attributes = {"axis", "k", "largest", "sorted"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
