#include "ir/ops/common/quantize.h"

#include <cmath>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

/// One scale for everything: a scalar, or one element in a vector (as some exporters write it).
bool is_scalar(const Shape& scale) { return scale.rank() == 0 || (scale.rank() == 1 && scale[0] == Dim(1)); }

}  // namespace

void check_scale(InferContext& ctx, std::size_t slot, std::size_t zero_point) {
  const Shape &x = ctx.in(0).shape, &scale = ctx.in(slot).shape, &zero = ctx.in(zero_point).shape;
  if (!x.ranked() || !scale.ranked()) return;
  if (zero.ranked() && !merge(zero, scale) && !(is_scalar(zero) && is_scalar(scale))) {
    ctx.fail("zero point and scale differ in shape", to_string(scale), to_string(zero));
  }
  if (is_scalar(scale)) return;
  const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", 1), x.rank());
  if (scale.rank() == 1) {
    require_same(ctx, x[axis], scale[0], "number of scales differs from axis " + std::to_string(axis));
    return;
  }
  const std::int64_t block = ctx.node.int_or("block_size", 0);
  if (scale.rank() != x.rank())
    ctx.fail("scale has the wrong rank", "0, 1 or " + std::to_string(x.rank()), to_string(scale));
  for (std::int64_t i = 0; i < x.rank(); ++i) {
    if (i != axis) require_same(ctx, x[i], scale[i], "axis " + std::to_string(i) + " of the scale differs");
  }
  if (block > 0 && x[axis].is_known()) {
    require_same(ctx, Dim((x[axis].value() + block - 1) / block), scale[axis],
                 "number of blocks differs from the scale");
  }
}

ScaleMap::ScaleMap(const EvaluateContext& ctx, const Dims& x, const Dims& scale) {
  if (element_count(scale) == 1) return;
  const auto axis =
      static_cast<std::size_t>(normalize_axis(ctx, ctx.node.int_or("axis", 1), static_cast<std::int64_t>(x.size())));
  inner_ = strides_of(x)[axis];
  length_ = blocks_ = x[axis];
  if (scale.size() == 1) {
    if (scale[0] != x[axis])
      ctx.fail("number of scales differs from axis " + std::to_string(axis), std::to_string(x[axis]),
               std::to_string(scale[0]));
    return;
  }
  Dims expected = x;
  if (scale.size() == x.size()) expected[axis] = scale[axis];
  if (scale != expected || scale[axis] == 0) ctx.fail("scale does not fit the input", to_string(x), to_string(scale));
  blocked_ = true;
  blocks_ = scale[axis];
  block_ = ctx.node.int_or("block_size", 0);
  if (block_ <= 0) block_ = (length_ + blocks_ - 1) / blocks_;
  if ((length_ + block_ - 1) / block_ != blocks_)
    ctx.fail("number of blocks differs from the scale", std::to_string((length_ + block_ - 1) / block_),
             std::to_string(blocks_));
}

std::int64_t ScaleMap::operator()(std::int64_t i) const {
  if (!blocked_) return i / inner_ % length_;
  const std::int64_t outer = i / inner_ / length_, at = i / inner_ % length_;
  return (outer * blocks_ + at / block_) * inner_ + i % inner_;
}

std::vector<AxisRelation> axes_quantize(const AxesContext& ctx) {
  std::vector<AxisRelation> out;
  const Shape &x = ctx.inputs[0].shape, &scale = ctx.inputs[1].shape;
  if (!x.ranked() || !scale.ranked()) return axes_all_but(ctx, {});
  const std::int64_t given = ctx.node.int_or("axis", 1), axis = given < 0 ? given + x.rank() : given;
  const bool blocked = scale.rank() > 1;
  const bool sized = blocked && x[axis].is_known() && scale[axis].is_known() && scale[axis].value() > 0;
  const std::int64_t fallback = sized ? (x[axis].value() + scale[axis].value() - 1) / scale[axis].value() : 1;
  const std::int64_t declared = ctx.node.int_or("block_size", 0),
                     block = blocked ? (declared > 0 ? declared : fallback) : 1;
  for (std::int64_t i = 0; i < x.rank(); ++i) {
    const std::int64_t covers = i == axis ? block : 1;
    out.push_back(input_axis(0, i, static_cast<int>(i), Kind::kSame, covers));
    out.push_back(output_axis(0, i, static_cast<int>(i), Kind::kSame, covers));
  }
  for (std::size_t slot = 1; slot < 3; ++slot) {
    if (ctx.node.input(slot) == kNoValue || is_scalar(scale)) continue;
    for (std::int64_t i = 0; i < scale.rank(); ++i)
      out.push_back(input_axis(slot, i, static_cast<int>(blocked ? i : axis)));
  }
  return out;
}

IntRange range_of(DType type) {
  const int width = bits(type);
  const bool is_signed = type == DType::kInt2 || type == DType::kInt4 || type == DType::kInt8 ||
                         type == DType::kInt16 || type == DType::kInt32;
  return is_signed ? IntRange{-std::ldexp(1, width - 1), std::ldexp(1, width - 1) - 1}
                   : IntRange{0, std::ldexp(1, width) - 1};
}

}  // namespace pare::ir::ops
