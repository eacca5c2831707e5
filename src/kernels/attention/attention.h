// Scaled dot-product attention, f32, without tensors in between (Vaswani et al. 2017).
#pragma once

#include <cstddef>
#include <span>

#include "kernels/kernel.h"

namespace pare::kernels {

/// Where (batch b, head h, position s) of a tensor of heads begins, in elements; a head's elements follow each other.
struct HeadStrides {
  std::int64_t batch = 0, head = 0, position = 0;
};

/// Where (b, h, query, key) of the mask lies, in elements: 0 where it is broadcast; `key` is 0 or 1.
struct MaskStrides {
  std::int64_t batch = 0, head = 0, query = 0, key = 0;
};

struct AttentionShape {
  std::int64_t batch = 1, heads = 1, queries = 1, keys = 1;
  std::int64_t width = 1;        ///< elements of a head of q and k
  std::int64_t value_width = 1;  ///< of v and the result
  float scale = 1.0f;
  HeadStrides q, k, v, out;
  MaskStrides mask;
};

struct AttentionKernel;

/// Bytes of scratch for at most `threads` threads; kernel as below.
std::size_t attention_scratch_bytes(const AttentionShape& shape, int threads,
                                    const AttentionKernel* kernel = nullptr) noexcept;

/// out = softmax(scale · q·kᵀ + mask) · v for every batch and head; mask may be nullptr. The maximum is subtracted
/// first; a query all of whose keys are masked by −inf gives NaN, as the operators one by one do. Within 1e-5 of the
/// largest |v| of the reference; rows that are narrow multiply bfloat16 (q, k, v and exponentials rounded to it) with f32
/// sums. kernel nullptr: the best available row that is not narrow.
void attention(const AttentionShape& shape, const float* q, const float* k, const float* v, const float* mask,
               float* out, void* scratch, int threads, const AttentionKernel* kernel = nullptr) noexcept;

/// All rows in order of priority, the reference last.
std::span<const AttentionKernel* const> attention_kernels() noexcept;
const char* attention_kernel_name(const AttentionKernel& kernel) noexcept;
Isa attention_kernel_isa(const AttentionKernel& kernel) noexcept;
bool attention_kernel_narrow(const AttentionKernel& kernel) noexcept;
/// The best row; `narrow`: one that is narrow where there is one. Throws Error(kUsage) for an unusable PARE_FORCE_ISA.
const AttentionKernel& best_attention_kernel(bool narrow = false);

}  // namespace pare::kernels
