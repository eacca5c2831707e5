#include "ir/ops/common/facts.h"

#include <algorithm>
#include <map>

#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {

void set_output(InferContext& ctx, std::size_t slot, DType dtype, Shape shape) {
  if (slot >= ctx.outputs.size()) return;
  ctx.outputs[slot].dtype = dtype;
  ctx.outputs[slot].shape = std::move(shape);
}

std::optional<std::vector<std::int64_t>> known_ints(const InferContext& ctx, std::size_t slot) {
  const Tensor* constant = ctx.in(slot).constant;
  if (constant == nullptr) return std::nullopt;
  if (!is_integer(constant->dtype()))
    ctx.fail("input " + std::to_string(slot) + " has the wrong type", "integers", std::string(name(constant->dtype())));
  return to_ints(*constant);
}

std::optional<std::vector<Dim>> known_dims(const InferContext& ctx, std::size_t slot) {
  if (const auto ints = known_ints(ctx, slot)) {
    std::vector<Dim> dims;
    for (std::int64_t value : *ints) dims.push_back(value >= 0 ? Dim(value) : Dim());
    return dims;
  }
  if (ctx.in(slot).elements) return ctx.in(slot).elements;
  const Shape& shape = ctx.in(slot).shape;
  constexpr std::int64_t kMaxRank = 64;
  if (shape.ranked() && shape.rank() == 1 && shape[0].is_known() && shape[0].value() <= kMaxRank) {
    return std::vector<Dim>(static_cast<std::size_t>(shape[0].value()));
  }
  return std::nullopt;
}

std::optional<std::vector<std::int64_t>> ints_of(const InferContext& ctx, const std::string& attribute,
                                                 std::size_t slot, bool is_input, std::vector<std::int64_t> fallback) {
  if (!is_input) return ctx.node.ints_or(attribute, std::move(fallback));
  if (!ctx.has(slot)) return fallback;
  return known_ints(ctx, slot);
}

std::vector<std::int64_t> ints_of(const EvaluateContext& ctx, const std::string& attribute, std::size_t slot,
                                  bool is_input, std::vector<std::int64_t> fallback) {
  if (!is_input) return ctx.node.ints_or(attribute, std::move(fallback));
  return ctx.has(slot) ? to_ints(ctx.in(slot)) : fallback;
}

std::int64_t required_int(const InferContext& ctx, const std::string& attribute) {
  if (ctx.node.find(attribute) == nullptr) ctx.fail("attribute '" + attribute + "' is missing");
  return ctx.node.int_or(attribute, 0);
}

void require_rank_at_least(const InferContext& ctx, std::size_t slot, std::int64_t rank) {
  const Shape& shape = ctx.in(slot).shape;
  if (shape.ranked() && shape.rank() < rank) {
    ctx.fail("input " + std::to_string(slot) + " has too few axes", "rank " + std::to_string(rank) + " or more",
             to_string(shape));
  }
}

void require_same_type(const InferContext& ctx) {
  DType seen = DType::kUndefined;
  for (const ValueFacts& input : ctx.inputs) {
    if (input.dtype == DType::kUndefined) continue;
    if (seen == DType::kUndefined) seen = input.dtype;
    if (input.dtype != seen) ctx.fail("input types differ", std::string(name(seen)), std::string(name(input.dtype)));
  }
}

Dim require_same(const InferContext& ctx, const Dim& a, const Dim& b, const std::string& what) {
  if (a.is_known() && b.is_known() && a.value() != b.value()) ctx.fail(what, to_string(a), to_string(b));
  if (a.is_known()) return a;
  if (b.is_known()) return b;
  return a.is_symbol() ? a : b;
}

Dim broadcast(const InferContext& ctx, const Dim& a, const Dim& b) {
  if (a.is_known() && b.is_known()) {
    if (a.value() != b.value() && a.value() != 1 && b.value() != 1) {
      ctx.fail("inputs do not broadcast", "equal dimensions or 1", to_string(a) + " and " + to_string(b));
    }
    return a.value() == 1 ? b : a;
  }
  if (a.is_known()) return a.value() == 1 ? b : a;
  if (b.is_known()) return b.value() == 1 ? a : b;
  return a.same_as(b) ? a : Dim();
}

Shape broadcast(const InferContext& ctx, const Shape& a, const Shape& b) {
  if (!a.ranked() || !b.ranked()) return {};
  const std::int64_t rank = std::max(a.rank(), b.rank());
  std::vector<Dim> dims(static_cast<std::size_t>(rank));
  for (std::int64_t i = 1; i <= rank; ++i) {
    const Dim x = i <= a.rank() ? a[a.rank() - i] : Dim(1), y = i <= b.rank() ? b[b.rank() - i] : Dim(1);
    dims[static_cast<std::size_t>(rank - i)] = broadcast(ctx, x, y);
  }
  return Shape(std::move(dims));
}

Dim product(std::span<const Dim> dims) {
  std::int64_t known = 1;
  Dim open;
  int opens = 0;
  bool zero = false, overflow = false;
  for (const Dim& dim : dims) {
    if (dim.is_known()) {
      zero = zero || dim.value() == 0;
      overflow = overflow || __builtin_mul_overflow(known, dim.value(), &known);
    } else {
      open = dim;
      ++opens;
    }
  }
  if (zero) return Dim(0);
  if (overflow) return {};
  if (opens == 0) return Dim(known);
  return opens == 1 && known == 1 ? open : Dim();
}

void infer_same(InferContext& ctx) { set_output(ctx, 0, ctx.in(0).dtype, ctx.in(0).shape); }

void infer_broadcast(InferContext& ctx) {
  require_same_type(ctx);
  Shape shape = ctx.in(0).shape;
  DType dtype = ctx.in(0).dtype;
  for (std::size_t slot = 1; slot < ctx.inputs.size(); ++slot) {
    shape = broadcast(ctx, shape, ctx.in(slot).shape);
    if (dtype == DType::kUndefined) dtype = ctx.in(slot).dtype;
  }
  set_output(ctx, 0, dtype, std::move(shape));
}

void infer_arithmetic(InferContext& ctx, Dim (*combine)(const Dim&, const Dim&)) {
  infer_broadcast(ctx);
  const auto &a = ctx.in(0).elements, &b = ctx.in(1).elements;
  if (!a || !b || !is_integer(ctx.outputs[0].dtype)) return;
  const std::size_t n = std::max(a->size(), b->size());
  if (n == 0 || (a->size() != n && a->size() != 1) || (b->size() != n && b->size() != 1)) return;
  std::vector<Dim> elements;
  for (std::size_t i = 0; i < n; ++i)
    elements.push_back(combine((*a)[a->size() == 1 ? 0 : i], (*b)[b->size() == 1 ? 0 : i]));
  ctx.outputs[0].elements = std::move(elements);
}

void infer_comparison(InferContext& ctx) {
  infer_broadcast(ctx);
  ctx.outputs[0].dtype = DType::kBool;
}

}  // namespace pare::ir::ops
