#include "onnx/typed_data.h"

#include <cstring>
#include <limits>

#include "onnx/fail.h"

namespace pare::onnx {

namespace {

void require_count(std::uint64_t expected, std::uint64_t got, const char* field, const std::string& subject) {
  if (expected != got)
    fail(subject, std::string("has the wrong number of values in ") + field, std::to_string(expected),
         std::to_string(got));
}

/// Values that the file already stores in the tensor's own layout.
template <class Field>
Tensor copy_values(const Field& values, const char* name, DType dtype, const Dims& dims, const std::string& subject) {
  constexpr std::size_t kWidth = sizeof(*values.data());
  require_count(bytes_for(dtype, dims) / kWidth, static_cast<std::uint64_t>(values.size()), name, subject);
  Tensor tensor(dtype, dims);
  if (tensor.bytes() > 0) std::memcpy(tensor.mutable_raw(), values.data(), tensor.bytes());
  return tensor;
}

/// Values that the file stores in wider integers: `width` low bytes of each are kept. Signed and unsigned readings of
/// the same bits are both found in files.
template <class Field>
Tensor narrow_values(const Field& values, const char* name, DType dtype, const Dims& dims, const std::string& subject) {
  const auto width =
      static_cast<std::size_t>(std::max(bits(dtype), 8) / 8);  // sub-byte types: packed bytes, one a value
  const std::int64_t limit = std::int64_t{1} << (8 * width);
  require_count(bytes_for(dtype, dims) / width, static_cast<std::uint64_t>(values.size()), name, subject);
  Tensor tensor(dtype, dims);
  std::byte* out = tensor.bytes() > 0 ? tensor.mutable_raw() : nullptr;
  for (const auto value : values) {
    const bool fits = std::is_signed_v<decltype(value + 0)>
                          ? static_cast<std::int64_t>(value) < limit && static_cast<std::int64_t>(value) >= -limit / 2
                          : static_cast<std::uint64_t>(value) < static_cast<std::uint64_t>(limit);
    if (!fits)
      fail(subject, std::string("has a value in ") + name + " that its type cannot hold",
           std::string(pare::name(dtype)), std::to_string(value));
    std::memcpy(out, &value, width);
    out += width;
  }
  return tensor;
}

Tensor read_strings(const TensorProto& proto, const Dims& dims, const std::string& subject) {
  require_count(static_cast<std::uint64_t>(element_count(dims)), static_cast<std::uint64_t>(proto.string_data_size()),
                "string_data", subject);
  return Tensor::strings(dims, {proto.string_data().begin(), proto.string_data().end()});
}

}  // namespace

int typed_fields(const TensorProto& proto) {
  return (proto.float_data_size() > 0) + (proto.int32_data_size() > 0) + (proto.string_data_size() > 0) +
         (proto.int64_data_size() > 0) + (proto.double_data_size() > 0) + (proto.uint64_data_size() > 0);
}

Tensor read_typed(const TensorProto& proto, DType dtype, const Dims& dims, const std::string& subject) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kComplex64:
      return copy_values(proto.float_data(), "float_data", dtype, dims, subject);
    case DType::kFloat64:
    case DType::kComplex128:
      return copy_values(proto.double_data(), "double_data", dtype, dims, subject);
    case DType::kInt64:
      return copy_values(proto.int64_data(), "int64_data", dtype, dims, subject);
    case DType::kUint64:
      return copy_values(proto.uint64_data(), "uint64_data", dtype, dims, subject);
    case DType::kUint32:
      return narrow_values(proto.uint64_data(), "uint64_data", dtype, dims, subject);
    case DType::kInt32:
      return copy_values(proto.int32_data(), "int32_data", dtype, dims, subject);
    case DType::kString:
      return read_strings(proto, dims, subject);
    default:
      return narrow_values(proto.int32_data(), "int32_data", dtype, dims, subject);
  }
}

}  // namespace pare::onnx
