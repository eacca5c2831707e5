// Element-wise choices and comparisons with numpy broadcasting, and rows by index.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

/// Broadcast of up to three operands to `dims`; strides in elements, 0 where an operand is broadcast.
struct SelectShape {
  int rank = 0;
  std::int64_t dims[kMaxRank] = {}, condition[kMaxRank] = {}, a[kMaxRank] = {}, b[kMaxRank] = {};
};

/// out = condition ? a : b (ONNX Where); elements of 1, 2, 4 or 8 bytes, the condition is one byte each.
void select(std::int64_t element, const SelectShape& shape, const std::uint8_t* condition, const void* a, const void* b,
            void* out) noexcept;

enum class CompareOp { kEqual, kGreater, kGreaterOrEqual, kLess, kLessOrEqual, kAnd, kOr, kXor };
/// out[i] = op(a, b) as one byte; T is float, std::int32_t, std::int64_t or std::uint8_t (bools).
template <class T>
void compare(CompareOp op, const SelectShape& shape, const T* a, const T* b, std::uint8_t* out) noexcept;

/// out [outer, count, row_bytes] = rows `indices` (each in [0, size)) of in [outer, size, row_bytes] (ONNX Gather).
void gather_rows(std::int64_t outer, std::int64_t size, std::int64_t count, std::int64_t row_bytes,
                 const std::int64_t* indices, const void* in, void* out) noexcept;

}  // namespace pare::kernels
