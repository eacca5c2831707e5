// NonMaxSuppression: of overlapping boxes only the best, for each class of each image; rows [image, class, box].
#include <algorithm>
#include <cmath>

#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  const Shape &boxes = ctx.in(0).shape, &scores = ctx.in(1).shape;
  if (boxes.ranked() && boxes.rank() != 3) ctx.fail("boxes have the wrong rank", "3", to_string(boxes));
  if (scores.ranked() && scores.rank() != 3) ctx.fail("scores have the wrong rank", "3", to_string(scores));
  if (boxes.ranked()) require_same(ctx, Dim(4), boxes[2], "boxes have the wrong length");
  if (boxes.ranked() && scores.ranked()) {
    require_same(ctx, boxes[0], scores[0], "batches of boxes and scores differ");
    require_same(ctx, boxes[1], scores[2], "numbers of boxes and scores differ");
  }
  set_output(ctx, 0, DType::kInt64, Shape({Dim(), Dim(3)}));
}

struct Box {
  double y1, x1, y2, x2;
  double area() const { return (y2 - y1) * (x2 - x1); }
};

Box read_box(const double* b, bool by_center) {
  if (by_center) return {b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
  return {std::min(b[0], b[2]), std::min(b[1], b[3]), std::max(b[0], b[2]), std::max(b[1], b[3])};
}

bool overlaps(const Box& a, const Box& b, double threshold) {
  const double height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1),
               width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  if (height <= 0 || width <= 0 || a.area() <= 0 || b.area() <= 0) return false;
  const double shared = height * width;
  return shared / (a.area() + b.area() - shared) > threshold;
}

/// Indices of the boxes kept, best first.
std::vector<std::int64_t> suppress(const std::vector<Box>& boxes, const double* scores, double score_threshold,
                                   double iou_threshold, std::int64_t most) {
  std::vector<std::int64_t> order, kept;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    if (scores[i] > score_threshold) order.push_back(static_cast<std::int64_t>(i));
  }
  std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) { return scores[a] > scores[b]; });
  for (std::int64_t candidate : order) {
    if (static_cast<std::int64_t>(kept.size()) >= most) break;
    const Box& box = boxes[static_cast<std::size_t>(candidate)];
    const bool covered = std::ranges::any_of(
        kept, [&](std::int64_t k) { return overlaps(box, boxes[static_cast<std::size_t>(k)], iou_threshold); });
    if (!covered) kept.push_back(candidate);
  }
  return kept;
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor &boxes = ctx.in(0), &scores = ctx.in(1);
  if (boxes.rank() != 3 || scores.rank() != 3 || boxes.dim(2) != 4 || boxes.dim(0) != scores.dim(0) ||
      boxes.dim(1) != scores.dim(2))
    ctx.fail("boxes and scores do not fit", "[B, N, 4] and [B, C, N]",
             to_string(boxes.dims()) + " and " + to_string(scores.dims()));
  const std::int64_t most = ctx.has(2) ? scalar_int(ctx, 2, "max_output_boxes_per_class") : 0;
  const double iou = ctx.has(3) ? scalar_double(ctx, 3, "iou_threshold") : 0,
               least = ctx.has(4) ? scalar_double(ctx, 4, "score_threshold") : -HUGE_VAL;
  if (!(iou >= 0 && iou <= 1)) ctx.fail("iou_threshold is out of range", "0 to 1", std::to_string(iou));
  const bool by_center = ctx.node.int_or("center_point_box", 0) != 0;
  const std::int64_t count = boxes.dim(1), classes = scores.dim(1);
  const std::vector<double> corners = to_doubles(boxes), values = to_doubles(scores);
  std::vector<std::int64_t> out;
  for (std::int64_t b = 0; b < boxes.dim(0); ++b) {
    std::vector<Box> own;
    for (std::int64_t i = 0; i < count; ++i) own.push_back(read_box(corners.data() + (b * count + i) * 4, by_center));
    for (std::int64_t c = 0; c < classes; ++c) {
      for (std::int64_t i : suppress(own, values.data() + (b * classes + c) * count, least, iou, most))
        out.insert(out.end(), {b, c, i});
    }
  }
  return {from_ints(DType::kInt64, {static_cast<std::int64_t>(out.size()) / 3, 3}, out)};
}

}  // namespace

extern const Operator kNonMaxSuppression = {
    .op_type = "NonMaxSuppression",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 5,
    .attributes = {"center_point_box"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
