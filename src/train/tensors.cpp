#include "train/tensors.h"

#include <cstring>

#include "base/float16.h"
#include "pare/error.h"

namespace pare::train {
namespace {

/// Element types whose bytes LibTorch reads as they are.
bool same_bytes(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kUint8:
    case DType::kInt8:
    case DType::kInt16:
    case DType::kInt32:
    case DType::kInt64:
    case DType::kBool:
      return true;
    default:
      return false;
  }
}

DType stored_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return DType::kFloat32;
    case at::kByte:
      return DType::kUint8;
    case at::kChar:
      return DType::kInt8;
    case at::kShort:
      return DType::kInt16;
    case at::kInt:
      return DType::kInt32;
    case at::kLong:
      return DType::kInt64;
    case at::kBool:
      return DType::kBool;
    default:
      throw Error(ErrorCode::kInternal, "tensor", std::string("no element type for ") + c10::toString(type));
  }
}

}  // namespace

at::ScalarType torch_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kFloat16:
    case DType::kBFloat16:
    case DType::kFloat64:
      return at::kFloat;
    case DType::kUint8:
    case DType::kUint4:
    case DType::kUint2:
      return at::kByte;
    case DType::kInt8:
    case DType::kInt4:
    case DType::kInt2:
      return at::kChar;
    case DType::kInt16:
      return at::kShort;
    case DType::kUint16:
    case DType::kInt32:
      return at::kInt;
    case DType::kUint32:
    case DType::kUint64:
    case DType::kInt64:
      return at::kLong;
    case DType::kBool:
      return at::kBool;
    default:
      throw Error(ErrorCode::kUnsupported, "tensor", "the trainer does not compute with " + std::string(name(dtype)));
  }
}

at::Tensor borrow(const Tensor& tensor) {
  if (!same_bytes(tensor.dtype())) return to_torch(tensor);
  return at::from_blob(const_cast<std::byte*>(tensor.aligned_raw()), tensor.dims(), torch_type(tensor.dtype()));
}

at::Tensor to_torch(const Tensor& tensor) {
  if (same_bytes(tensor.dtype())) return borrow(tensor).clone(at::MemoryFormat::Contiguous);
  const at::ScalarType type = torch_type(tensor.dtype());
  at::Tensor wide = at::empty(tensor.dims(), at::kDouble);
  double* out = wide.data_ptr<double>();
  for (std::int64_t i = 0; i < tensor.numel(); ++i) out[i] = element_as_double(tensor, i);
  return wide.to(type);
}

Tensor from_torch(const at::Tensor& tensor, DType dtype) {
  at::Tensor source = tensor.detach().to(at::kCPU);
  if (source.scalar_type() != torch_type(dtype)) source = source.to(torch_type(dtype));
  source = source.contiguous(at::MemoryFormat::Contiguous);
  Tensor result(stored_type(source.scalar_type()), source.sizes().vec());
  if (result.bytes() > 0) std::memcpy(result.mutable_raw(), source.data_ptr(), result.bytes());
  return result.dtype() == dtype ? result : cast(result, dtype);
}

}  // namespace pare::train
