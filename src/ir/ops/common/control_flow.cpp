#include "ir/ops/common/control_flow.h"

#include <cstring>

#include "base/text.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {

Opsets inner_opsets(const Graph& graph, std::int64_t opset) {
  Opsets opsets;
  for_each_node(graph, [&](const Node& node) { opsets[node.domain] = 1; });
  opsets[""] = opset;
  return opsets;
}

std::map<std::string, ValueFacts> around(const InferContext& ctx) {
  std::map<std::string, ValueFacts> found;
  std::size_t slot = own_inputs(ctx.node);
  for (const std::string& name : captures(ctx.node)) found[name] = ctx.in(slot++);
  return found;
}

GraphRunner::Around around(const EvaluateContext& ctx) {
  GraphRunner::Around found;
  std::size_t slot = own_inputs(ctx.node);
  for (const std::string& name : captures(ctx.node)) found[name] = ctx.inputs[slot++];
  return found;
}

void require_fits(const EvaluateContext& ctx, std::int64_t bytes) {
  if (bytes > MemoryBudget::bytes())
    throw Error(ErrorCode::kMemory, describe(ctx.node), "what the iterations gather does not fit",
                "at most " + format_bytes(MemoryBudget::bytes()), format_bytes(bytes));
}

ValueFacts generalize(const ValueFacts& a, const ValueFacts& b) {
  ValueFacts out;
  out.dtype = a.dtype != DType::kUndefined ? a.dtype : b.dtype;
  if (!a.shape.ranked() || !b.shape.ranked() || a.shape.rank() != b.shape.rank()) return out;
  std::vector<Dim> dims;
  for (std::int64_t axis = 0; axis < a.shape.rank(); ++axis)
    dims.push_back(a.shape[axis].same_as(b.shape[axis]) ? a.shape[axis] : Dim());
  out.shape = Shape(std::move(dims));
  return out;
}

namespace {

/// Dims of a slice when there is none to ask: what is not known is empty, as the whole is.
Dims assumed_dims(const ValueFacts& slice) {
  Dims dims;
  for (std::int64_t axis = 0; axis < slice.shape.rank(); ++axis)
    dims.push_back(slice.shape[axis].is_known() ? slice.shape[axis].value() : 0);
  return dims;
}

Tensor stack_bytes(std::span<const Tensor> slices, Dims dims) {
  Tensor out(slices[0].dtype(), std::move(dims));
  std::byte* to = out.mutable_raw();
  for (const Tensor& slice : slices) {
    if (slice.bytes() > 0) std::memcpy(to, slice.raw(), slice.bytes());
    to += slice.bytes();
  }
  return out;
}

}  // namespace

Tensor stack(const EvaluateContext& ctx, std::span<const Tensor> slices, const ValueFacts& slice, std::int64_t axis) {
  Dims dims = slices.empty() ? assumed_dims(slice) : slices[0].dims();
  for (const Tensor& other : slices) {
    if (other.dims() != dims)
      ctx.fail("iterations give slices of different shapes", to_string(dims), to_string(other.dims()));
  }
  const std::int64_t at = normalize_axis(ctx, axis, static_cast<std::int64_t>(dims.size()) + 1);
  Dims first = dims;
  first.insert(first.begin(), static_cast<std::int64_t>(slices.size()));
  if (slices.empty()) {
    dims.insert(dims.begin() + at, 0);
    return slice.dtype == DType::kString ? Tensor::strings(dims, {}) : Tensor(slice.dtype, dims);
  }
  const std::int64_t each = slices[0].numel();
  Tensor out = bits(slices[0].dtype()) >= 8 ? stack_bytes(slices, first) : pick(slices, first, [&](std::int64_t i) {
    return std::pair<std::size_t, std::int64_t>(static_cast<std::size_t>(i / each), i % each);
  });
  if (at == 0) return out;
  Dims strides = strides_of(first), moved = first;
  moved.erase(moved.begin());
  moved.insert(moved.begin() + at, first[0]);
  const std::int64_t stride = strides[0];
  strides.erase(strides.begin());
  strides.insert(strides.begin() + at, stride);
  return strided(out, moved, 0, strides);
}

}  // namespace pare::ir::ops
