// Moving elements: transposes, slices, concatenation, padding. Elements are opaque, 1, 2, 4 or 8 bytes.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

/// [batch, rows, columns] → [batch, columns, rows]. NCHW → NHWC: rows = C, columns = H·W; NHWC → NCHW the other way
/// round.
void transpose2d(std::int64_t element, std::int64_t batch, std::int64_t rows, std::int64_t columns, const void* in,
                 void* out) noexcept;

/// out axis i is in axis perm[i] (ONNX Transpose); rank ≤ kMaxRank.
void transpose(std::int64_t element, int rank, const std::int64_t* in_dims, const std::int64_t* perm, const void* in,
               void* out) noexcept;

/// Copies `outer` rows of `row_bytes` between pitched buffers (bytes): one operand of a Concat along any axis, one
/// output of a Split, a channel slice in NHWC.
void copy_rows(std::int64_t outer, std::int64_t row_bytes, const void* in, std::int64_t in_pitch, void* out,
               std::int64_t out_pitch) noexcept;

/// out[i…] = in[start + i·step …]; steps may be negative; bounds are the caller's duty (ONNX Slice after clamping).
void slice(std::int64_t element, int rank, const std::int64_t* in_dims, const std::int64_t* starts,
           const std::int64_t* steps, const std::int64_t* out_dims, const void* in, void* out) noexcept;

enum class PadMode { kConstant, kReflect, kEdge, kWrap };
/// out_dims[i] = before[i] + in_dims[i] + after[i]; before and after may be negative (cropping). `value` points at one
/// element (kConstant). kReflect and kWrap fold as often as needed.
void pad(std::int64_t element, int rank, const std::int64_t* in_dims, const std::int64_t* before,
         const std::int64_t* out_dims, PadMode mode, const void* value, const void* in, void* out) noexcept;

}  // namespace pare::kernels
