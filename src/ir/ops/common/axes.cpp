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

/// Axes of one shape that hold the same elements as a run of the other shape.
struct Run {
  const Shape& shape;
  std::int64_t begin, end;
};

/// How many elements lie behind each boundary between the run's axes: from all of its elements down to 1.
std::vector<std::int64_t> boundaries(const Run& run) {
  std::vector<std::int64_t> out = {known_product(run.shape, run.begin, run.end)};
  for (std::int64_t axis = run.begin; axis < run.end; ++axis) out.push_back(out.back() / run.shape[axis].value());
  return out;
}

/// The boundaries of both runs, as far as each divides the one in front: the parts between them are what the axes of
/// both are made of.
std::vector<std::int64_t> common_boundaries(const Run& in, const Run& to) {
  std::vector<std::int64_t> all = boundaries(in), more = boundaries(to);
  all.insert(all.end(), more.begin(), more.end());
  std::sort(all.rbegin(), all.rend());
  std::vector<std::int64_t> out = {all[0]};
  for (const std::int64_t one : all)
    if (one != out.back() && out.back() % one == 0) out.push_back(one);
  return out;
}

/// Makes `relation` that of the axis which holds the part between the boundaries `high` and `low`; false: no axis does.
bool find_part(AxisRelation& relation, const Run& run, std::int64_t high, std::int64_t low) {
  std::int64_t before = known_product(run.shape, run.begin, run.end);
  for (relation.axis = run.begin; relation.axis < run.end; ++relation.axis) {
    const std::int64_t behind = before / run.shape[relation.axis].value();
    if (before % high == 0 && behind <= low && low % behind == 0 && before > behind) {
      relation.repeat = before / high;
      relation.block = low / behind;
      return true;
    }
    before = behind;
  }
  return false;
}

/// Relates the axes that hold the part at `position` (the last one when there are fewer) of two runs of the same
/// elements.
void relate_runs(std::vector<AxisRelation>& out, const Run& in, const Run& to, int position) {
  const std::vector<std::int64_t> parts = common_boundaries(in, to);
  if (parts.size() < 2) return;
  const std::size_t at = std::min(static_cast<std::size_t>(position), parts.size() - 2);
  const int label = static_cast<int>(in.begin);
  AxisRelation left = input_axis(0, 0, label), right = output_axis(0, 0, label);
  if (!find_part(left, in, parts[at], parts[at + 1]) || !find_part(right, to, parts[at], parts[at + 1])) return;
  out.push_back(left);
  out.push_back(right);
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
    relate_runs(out, {in, i, i1}, {to, o, o1}, ctx.position);
    i = i1;
    o = o1;
  }
  return out;
}

}  // namespace pare::ir::ops
