// The typed data fields of TensorProto (float_data, int32_data, …).
#pragma once

#include <string>

#include "onnx/pare_onnx.pb.h"
#include "pare/tensor.h"

namespace pare::onnx {

/// How many typed data fields hold something.
int typed_fields(const TensorProto& proto);
/// Reads the field that ONNX prescribes for `dtype`. Error(kBadInput) with `subject` when it holds another number of
/// elements than `dims` need or a value that the element type cannot hold.
Tensor read_typed(const TensorProto& proto, DType dtype, const Dims& dims, const std::string& subject);

}  // namespace pare::onnx
