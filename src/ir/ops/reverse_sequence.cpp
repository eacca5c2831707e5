// ReverseSequence: along time_axis, the first sequence_lens[b] entries of each batch entry in reverse order.
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

struct TwoAxes {
  std::size_t time, batch;
};

template <class Context>
TwoAxes axes_of(const Context& ctx, std::int64_t rank) {
  const TwoAxes out{static_cast<std::size_t>(normalize_axis(ctx, ctx.node.int_or("time_axis", 0), rank)),
                    static_cast<std::size_t>(normalize_axis(ctx, ctx.node.int_or("batch_axis", 1), rank))};
  if (out.time > 1 || out.batch > 1 || out.time == out.batch)
    ctx.fail("time_axis and batch_axis are not the first two axes", "0 and 1 in either order",
             std::to_string(out.time) + " and " + std::to_string(out.batch));
  return out;
}

void infer(InferContext& ctx) {
  infer_same(ctx);
  require_rank_at_least(ctx, 0, 2);
  const Shape &x = ctx.in(0).shape, &lengths = ctx.in(1).shape;
  if (!x.ranked()) return;
  const TwoAxes axes = axes_of(ctx, x.rank());
  if (!lengths.ranked()) return;
  if (lengths.rank() != 1) ctx.fail("sequence_lens have the wrong rank", "1", to_string(lengths));
  require_same(ctx, x[static_cast<std::int64_t>(axes.batch)], lengths[0], "sequence_lens differ from the batch");
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (x.rank() < 2) ctx.fail("input has too few axes", "rank 2 or more", to_string(x.dims()));
  const TwoAxes axes = axes_of(ctx, x.rank());
  const std::vector<std::int64_t> lengths = to_ints(ctx.in(1));
  const std::int64_t times = x.dims()[axes.time], batches = x.dims()[axes.batch];
  if (static_cast<std::int64_t>(lengths.size()) != batches)
    ctx.fail("sequence_lens differ from the batch", std::to_string(batches), std::to_string(lengths.size()));
  for (std::int64_t length : lengths) {
    if (length < 0 || length > times)
      ctx.fail("sequence length is out of range", "0 to " + std::to_string(times), std::to_string(length));
  }
  const Dims strides = strides_of(x.dims());
  return {pick({&x, 1}, x.dims(), [&](std::int64_t i) {
    const std::int64_t t = i / strides[axes.time] % times, b = i / strides[axes.batch] % batches;
    const std::int64_t length = lengths[static_cast<std::size_t>(b)], from = t < length ? length - 1 - t : t;
    return std::pair<std::size_t, std::int64_t>(0, i + (from - t) * strides[axes.time]);
  })};
}

}  // namespace

extern const Operator kReverseSequence = {
    .op_type = "ReverseSequence",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {"batch_axis", "time_axis"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
