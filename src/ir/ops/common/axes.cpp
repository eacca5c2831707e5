#include "ir/ops/common/axes.h"

#include <algorithm>

namespace pare::ir::ops {
namespace {

/// Product of the known dimensions in [begin, end); −1 when one is not known.
std::int64_t known_product(const Shape& shape, std::int64_t begin, std::int64_t end) {
  std::int64_t out = 1;
  for (std::int64_t axis = begin; axis < end; ++axis) {
    if (!shape[axis].is_known()) return -1;
    out *= shape[axis].value();
  }
  return out;
}

/// The first axis in [begin, end) that is not 1; `end` when there is none.
std::int64_t leading(const Shape& shape, std::int64_t begin, std::int64_t end) {
  while (begin < end && shape[begin] == Dim(1)) ++begin;
  return begin;
}

/// Relates the leading axes of two runs of axes that hold the same elements: one of them covers the other in blocks.
void relate_runs(std::vector<AxisRelation>& out, const Shape& in, std::int64_t i0, std::int64_t i1, const Shape& to,
                 std::int64_t o0, std::int64_t o1) {
  const std::int64_t i = leading(in, i0, i1), o = leading(to, o0, o1);
  if (i == i1 || o == o1) return;
  const std::int64_t rest_in = known_product(in, i + 1, i1), rest_out = known_product(to, o + 1, o1);
  const int label = static_cast<int>(i);
  if (rest_in == rest_out && rest_in > 0) {
    out.push_back(input_axis(0, i, label));
    out.push_back(output_axis(0, o, label));
  } else if (rest_in > 0 && rest_out > 0 && rest_in % rest_out == 0) {
    out.push_back(input_axis(0, i, label));
    out.push_back(output_axis(0, o, label, Kind::kSame, rest_in / rest_out));
  } else if (rest_in > 0 && rest_out > 0 && rest_out % rest_in == 0) {
    out.push_back(input_axis(0, i, label, Kind::kSame, rest_out / rest_in));
    out.push_back(output_axis(0, o, label));
  }
}

/// The axis at `position` among those in [begin, end) that are not 1; the last one when there are fewer.
std::int64_t axis_at(const Shape& shape, std::int64_t begin, std::int64_t end, int position) {
  std::int64_t found = end;
  for (std::int64_t axis = begin; axis < end && position >= 0; ++axis)
    if (shape[axis] != Dim(1)) {
      found = axis;
      --position;
    }
  return found;
}

/// Relates one axis with the part at `position` of the axes that it splits into.
void relate_part(std::vector<AxisRelation>& out, AxisRelation whole, AxisRelation part, const Shape& parts,
                 std::int64_t begin, std::int64_t end) {
  part.block = 1;
  whole.repeat = known_product(parts, begin, part.axis);
  whole.block = known_product(parts, part.axis + 1, end);
  if (whole.repeat <= 0 || whole.block <= 0) return;
  out.push_back(whole);
  out.push_back(part);
}

/// As relate_runs, by an axis behind the leading one; runs of several axes on both sides have no such relation.
void relate_behind(std::vector<AxisRelation>& out, const Shape& in, std::int64_t i0, std::int64_t i1, const Shape& to,
                   std::int64_t o0, std::int64_t o1, int position) {
  const std::int64_t i = leading(in, i0, i1), o = leading(to, o0, o1);
  if (i == i1 || o == o1) return;
  const int label = static_cast<int>(i);
  if (leading(in, i + 1, i1) == i1) {
    const std::int64_t at = axis_at(to, o0, o1, position);
    relate_part(out, input_axis(0, i, label), output_axis(0, at, label), to, o0, o1);
  } else if (leading(to, o + 1, o1) == o1) {
    const std::int64_t at = axis_at(in, i0, i1, position);
    relate_part(out, output_axis(0, o, label), input_axis(0, at, label), in, i0, i1);
  } else {
    relate_runs(out, in, i0, i1, to, o0, o1);
  }
}

}  // namespace

AxisRelation input_axis(std::size_t slot, std::int64_t axis, int label, Kind kind, std::int64_t block) {
  return {Side::kInput, slot, axis, label, kind, block};
}

AxisRelation output_axis(std::size_t slot, std::int64_t axis, int label, Kind kind, std::int64_t block) {
  return {Side::kOutput, slot, axis, label, kind, block};
}

std::vector<AxisRelation> axes_broadcast(const AxesContext& ctx) {
  std::vector<AxisRelation> out;
  const Shape& result = ctx.outputs[0].shape;
  if (!result.ranked()) return out;
  for (std::int64_t axis = 0; axis < result.rank(); ++axis) out.push_back(output_axis(0, axis, static_cast<int>(axis)));
  for (std::size_t slot = 0; slot < ctx.inputs.size(); ++slot) {
    const Shape& shape = ctx.inputs[slot].shape;
    if (!shape.ranked()) continue;
    const std::int64_t lead = result.rank() - shape.rank();
    for (std::int64_t axis = 0; axis < shape.rank(); ++axis) {
      const bool stretched = shape[axis] == Dim(1) && result[axis + lead] != Dim(1);
      if (!stretched) out.push_back(input_axis(slot, axis, static_cast<int>(axis + lead)));
    }
  }
  return out;
}

std::vector<AxisRelation> axes_pooling(const AxesContext&) {
  return {input_axis(0, 0, 0), output_axis(0, 0, 0), input_axis(0, 1, 1), output_axis(0, 1, 1)};
}

std::vector<AxisRelation> axes_all_but(const AxesContext& ctx, const std::vector<std::int64_t>& except) {
  std::vector<AxisRelation> out;
  const Shape& shape = ctx.inputs[0].shape;
  for (std::int64_t axis = 0; shape.ranked() && axis < shape.rank(); ++axis) {
    if (std::find(except.begin(), except.end(), axis) != except.end()) continue;
    out.push_back(input_axis(0, axis, static_cast<int>(axis)));
    out.push_back(output_axis(0, axis, static_cast<int>(axis)));
  }
  return out;
}

std::vector<AxisRelation> axes_reshape(const AxesContext& ctx) {
  const Shape &in = ctx.inputs[0].shape, &to = ctx.outputs[0].shape;
  std::vector<AxisRelation> out;
  if (!in.ranked() || !to.ranked()) return out;
  std::int64_t i = 0, o = 0;
  while (i < in.rank() && o < to.rank()) {
    if (in[i].same_as(to[o]) && !in[i].is_known()) {  // the free batch
      out.push_back(input_axis(0, i, static_cast<int>(i)));
      out.push_back(output_axis(0, o++, static_cast<int>(i)));
      ++i;
      continue;
    }
    if (in[i] == Dim(1) && !to[o].is_known()) {  // an axis of one element beside the free batch
      ++i;
      continue;
    }
    if (to[o] == Dim(1) && !in[i].is_known()) {
      ++o;
      continue;
    }
    // The shortest runs of axes with equal products.
    std::int64_t i1 = i + 1, o1 = o + 1;
    std::int64_t a = known_product(in, i, i1), b = known_product(to, o, o1);
    while (a > 0 && b > 0 && a != b) {
      if (a < b ? i1 == in.rank() : o1 == to.rank()) return out;
      a < b ? ++i1 : ++o1;
      a = known_product(in, i, i1);
      b = known_product(to, o, o1);
    }
    if (a <= 0 || b <= 0) return out;
    if (ctx.position == 0)
      relate_runs(out, in, i, i1, to, o, o1);
    else
      relate_behind(out, in, i, i1, to, o, o1, ctx.position);
    i = i1;
    o = o1;
  }
  return out;
}

}  // namespace pare::ir::ops
