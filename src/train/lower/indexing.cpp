// Operators that read or write at indices, repeat, and scan: GatherElements, GatherND, Scatter…, Tile, CumSum, Trilu,
// OneHot.
#include <numeric>

#include "train/lowering.h"

namespace pare::train {
namespace {

at::Tensor wrapped(const at::Tensor& indices, const at::Tensor& data, std::int64_t size) {
  const at::Tensor i = indices.to(data.device(), at::kLong);
  return at::where(i < 0, i + size, i);
}

/// The last axis of `indices` as one index a tuple into the first axes of `data`, which become one.
at::Tensor flat_tuples(const at::Tensor& indices, const at::Tensor& data) {
  const std::int64_t depth = indices.size(-1);
  TORCH_CHECK(depth >= 1 && depth <= data.dim(), "indices of ", depth, " axes into rank ", data.dim());
  at::Tensor flat = at::zeros({indices.numel() / depth}, at::TensorOptions(at::kLong).device(data.device()));
  for (std::int64_t axis = 0; axis < depth; ++axis)
    flat = flat * data.size(axis) + wrapped(at::select(indices, -1, axis), data, data.size(axis)).reshape({-1});
  return flat;
}

/// data with its first `depth` axes as one and the others as another.
at::Tensor rows(const at::Tensor& data, std::int64_t depth) {
  std::int64_t count = 1;
  for (std::int64_t axis = 0; axis < depth; ++axis) count *= data.size(axis);
  return data.reshape({count, -1});
}

at::Tensor gather_nd(const at::Tensor& data, const at::Tensor& indices) {
  const std::int64_t depth = indices.size(-1);
  std::vector<std::int64_t> shape(indices.sizes().begin(), indices.sizes().end() - 1);
  shape.insert(shape.end(), data.sizes().begin() + depth, data.sizes().end());
  return at::index_select(rows(data, depth), 0, flat_tuples(indices, data)).reshape(shape);
}

}  // namespace

Call lower_gather_elements(const LowerContext& context) {
  return
      [axis = context.node.int_or("axis", 0), x = context.in(0), i = context.in(1), y = context.out()](Frame& frame) {
        const std::int64_t along = wrap_axis(axis, frame[x].dim());
        frame[y] = at::gather(frame[x], along, wrapped(frame[i], frame[x], frame[x].size(along)));
      };
}

Call lower_gather_nd(const LowerContext& context) {
  if (context.node.int_or("batch_dims", 0) != 0) context.refuse("batch_dims cannot be trained");
  return [x = context.in(0), i = context.in(1), y = context.out()](Frame& frame) {
    frame[y] = gather_nd(frame[x], frame[i]);
  };
}

Call lower_scatter_elements(const LowerContext& context) {
  const std::string how = context.node.string_or("reduction", "none");
  if (how != "none" && how != "add") context.refuse("reduction '" + how + "' cannot be trained");
  return [=, axis = context.node.int_or("axis", 0), x = context.in(0), i = context.in(1), u = context.in(2),
          y = context.out()](Frame& frame) {
    const std::int64_t along = wrap_axis(axis, frame[x].dim());
    const at::Tensor indices = wrapped(frame[i], frame[x], frame[x].size(along)),
                     update = frame[u].to(frame[x].options());
    frame[y] = how == "add" ? at::scatter_add(frame[x], along, indices, update)
                            : at::scatter(frame[x], along, indices, update);
  };
}

Call lower_scatter_nd(const LowerContext& context) {
  const std::string how = context.node.string_or("reduction", "none");
  if (how != "none" && how != "add") context.refuse("reduction '" + how + "' cannot be trained");
  return [=, x = context.in(0), i = context.in(1), u = context.in(2), y = context.out()](Frame& frame) {
    const at::Tensor flat = flat_tuples(frame[i], frame[x]), data = rows(frame[x], frame[i].size(-1));
    const at::Tensor update = frame[u].to(data.options()).reshape({flat.size(0), -1});
    const at::Tensor result =
        how == "add" ? at::index_add(data, 0, flat, update) : at::index_copy(data, 0, flat, update);
    frame[y] = result.reshape(frame[x].sizes());
  };
}

Call lower_tile(const LowerContext& context) {
  return [x = context.in(0), r = context.in(1), y = context.out()](Frame& frame) {
    frame[y] = frame[x].repeat(to_ints(frame[r]));
  };
}

Call lower_cumsum(const LowerContext& context) {
  const bool exclusive = context.node.int_or("exclusive", 0) != 0, reverse = context.node.int_or("reverse", 0) != 0;
  return [=, x = context.in(0), a = context.in(1), y = context.out()](Frame& frame) {
    const std::int64_t axis = wrap_axis(to_ints(frame[a]).at(0), frame[x].dim());
    const at::Tensor input = reverse ? at::flip(frame[x], {axis}) : frame[x];
    at::Tensor sum = at::cumsum(input, axis, input.scalar_type());
    if (exclusive) sum = sum - input;
    frame[y] = reverse ? at::flip(sum, {axis}) : sum;
  };
}

Call lower_trilu(const LowerContext& context) {
  const bool upper = context.node.int_or("upper", 1) != 0;
  return [=, x = context.in(0), k = context.in(1), y = context.out()](Frame& frame) {
    const std::int64_t diagonal = k == kNoSlot ? 0 : to_ints(frame[k]).at(0);
    frame[y] = upper ? at::triu(frame[x], diagonal) : at::tril(frame[x], diagonal);
  };
}

}  // namespace pare::train
