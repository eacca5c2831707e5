#include "ir/ops/common/limits.h"

#include "ir/ops/common/numeric.h"
#include "ir/subgraph.h"
#include "pare/error.h"

namespace pare::ir::ops {
namespace {

/// The scalar reference holds a result as doubles and once more in its own type.
constexpr std::int64_t kBytesPerElement = 16;

void require_one(const EvaluateContext& ctx, std::size_t slot, const char* what) {
  if (ctx.in(slot).numel() != 1)
    ctx.fail(std::string(what) + " has the wrong shape", "one element", to_string(ctx.in(slot).dims()));
}

}  // namespace

void require_room(const EvaluateContext& ctx, const Dims& dims) {
  const std::int64_t most = MemoryBudget::bytes() / kBytesPerElement;
  std::int64_t count = 1;
  bool too_many = false, empty = false;
  for (std::int64_t dim : dims) {
    if (dim < 0) ctx.fail("result has a negative dimension", "0 or more", to_string(dims));
    empty = empty || dim == 0;
    too_many = too_many || __builtin_mul_overflow(count, dim, &count) || count > most;
  }
  if (too_many && !empty) {
    throw Error(ErrorCode::kMemory, describe(ctx.node), "result does not fit in memory",
                "at most " + std::to_string(most) + " elements", to_string(dims));
  }
}

std::int64_t checked_index(const EvaluateContext& ctx, std::int64_t index, std::int64_t size) {
  if (index < -size || index >= size)
    ctx.fail("index out of range", std::to_string(-size) + " to " + std::to_string(size - 1), std::to_string(index));
  return index < 0 ? index + size : index;
}

std::int64_t scalar_int(const EvaluateContext& ctx, std::size_t slot, const char* what) {
  require_one(ctx, slot, what);
  return to_ints(ctx.in(slot))[0];
}

double scalar_double(const EvaluateContext& ctx, std::size_t slot, const char* what) {
  require_one(ctx, slot, what);
  return to_doubles(ctx.in(slot))[0];
}

}  // namespace pare::ir::ops
