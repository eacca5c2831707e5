// What the inference functions of several operators share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ir/op.h"
#include "pare/error.h"

namespace pare::ir::ops {

/// A non-negative axis; a negative one counts from the end. Context is InferContext or EvaluateContext.
template <class Context>
std::int64_t normalize_axis(const Context& ctx, std::int64_t axis, std::int64_t rank) {
  if (axis < -rank || axis >= rank) {
    ctx.fail("axis out of range", std::to_string(-rank) + " to " + std::to_string(rank - 1), std::to_string(axis));
  }
  return axis < 0 ? axis + rank : axis;
}

void set_output(InferContext& ctx, std::size_t slot, DType dtype, Shape shape = {});
/// Elements of an integer input that is a known constant.
std::optional<std::vector<std::int64_t>> known_ints(const InferContext& ctx, std::size_t slot);
/// Elements of an integer input as dimensions (symbols, unknowns and negative numbers included as unknowns), when its
/// length is known.
std::optional<std::vector<Dim>> known_dims(const InferContext& ctx, std::size_t slot);
/// An integer list that is an attribute up to some opset and an input after it; nullopt: an input that is not known.
/// An absent one is `fallback`.
std::optional<std::vector<std::int64_t>> ints_of(const InferContext& ctx, const std::string& attribute,
                                                 std::size_t slot, bool is_input,
                                                 std::vector<std::int64_t> fallback = {});
std::vector<std::int64_t> ints_of(const EvaluateContext& ctx, const std::string& attribute, std::size_t slot,
                                  bool is_input, std::vector<std::int64_t> fallback = {});
/// An attribute that must be there.
std::int64_t required_int(const InferContext& ctx, const std::string& attribute);

/// Throws unless the input's rank is unknown or at least `rank`.
void require_rank_at_least(const InferContext& ctx, std::size_t slot, std::int64_t rank);
/// Throws unless the inputs that have a known type agree in it.
void require_same_type(const InferContext& ctx);
/// One axis of two that must be equal: the more specific; throws when they differ.
Dim require_same(const InferContext& ctx, const Dim& a, const Dim& b, const std::string& what);

Dim broadcast(const InferContext& ctx, const Dim& a, const Dim& b);
/// numpy broadcasting with symbols; a symbol against a known dimension > 1 must become it.
Shape broadcast(const InferContext& ctx, const Shape& a, const Shape& b);

/// Product of dimensions; unknown unless all known, or one symbol among ones.
Dim product(std::span<const Dim> dims);

void infer_same(InferContext& ctx);       ///< output 0 like input 0
void infer_broadcast(InferContext& ctx);  ///< all inputs broadcast, type of input 0
/// Broadcast whose integer elements follow through `combine`.
void infer_arithmetic(InferContext& ctx, Dim (*combine)(const Dim&, const Dim&));
void infer_comparison(InferContext& ctx);  ///< all inputs broadcast, bool

}  // namespace pare::ir::ops
