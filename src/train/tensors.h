// pare::Tensor to and from at::Tensor.
#pragma once

#include "pare/tensor.h"
#include "train/torch_headers.h"

namespace pare::train {

/// A copy that owns its memory, on the CPU. f16, bf16 and f64 become f32 (training computes in f32 and autocasts);
/// types that LibTorch lacks (u16, u32, u64, 4 bits) become the next wider integer. Throws Error(kUnsupported) for
/// strings and complex.
at::Tensor to_torch(const Tensor& tensor);

/// The same without copying where the type allows: valid while `tensor` lives.
at::Tensor borrow(const Tensor& tensor);

/// A row-major copy on the CPU in `dtype` (f32, or what the value held originally).
Tensor from_torch(const at::Tensor& tensor, DType dtype);

/// The type of the result that ONNX names; f16, bf16 and f64 are f32 here.
at::ScalarType torch_type(DType dtype);

}  // namespace pare::train
