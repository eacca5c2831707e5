#include "ir/ops/common/slices.h"

#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {

SliceIndex read_slices(const EvaluateContext& ctx, const Dims& data, std::int64_t batch) {
  const Tensor& indices = ctx.in(1);
  const auto rank = static_cast<std::int64_t>(data.size());
  if (indices.rank() < 1 || rank < 1) ctx.fail("data and indices need an axis", "rank 1 or more", "a scalar");
  if (batch < 0 || batch >= rank || batch >= indices.rank())
    ctx.fail("attribute 'batch_dims' is out of range", "below the ranks of data and indices", std::to_string(batch));
  std::int64_t batches = 1;
  for (std::int64_t i = 0; i < batch; ++i) {
    batches *= data[static_cast<std::size_t>(i)];
    if (indices.dim(i) != data[static_cast<std::size_t>(i)])
      ctx.fail("batch axes of data and indices differ", to_string(data), to_string(indices.dims()));
  }
  const std::int64_t length = indices.dim(-1);
  if (length > rank - batch)
    ctx.fail("index tuples are longer than the data has axes", "at most " + std::to_string(rank - batch),
             std::to_string(length));
  SliceIndex out;
  out.tail.assign(data.begin() + batch + length, data.end());
  out.size = element_count(out.tail);
  const Dims strides = strides_of(data);
  std::int64_t tuples = 1;
  for (std::int64_t i = 0; i + 1 < indices.rank(); ++i) tuples *= indices.dim(i);
  const std::int64_t per_batch = batches == 0 ? 1 : tuples / batches,
                     batch_size = batches == 0 ? 0 : element_count(data) / batches;
  const std::vector<std::int64_t> values = to_ints(indices);
  for (std::int64_t t = 0; t < tuples; ++t) {
    std::int64_t start = t / per_batch * batch_size;
    for (std::int64_t i = 0; i < length; ++i) {
      const auto axis = static_cast<std::size_t>(batch + i);
      start += checked_index(ctx, values[static_cast<std::size_t>(t * length + i)], data[axis]) * strides[axis];
    }
    out.starts.push_back(start);
  }
  return out;
}

}  // namespace pare::ir::ops
