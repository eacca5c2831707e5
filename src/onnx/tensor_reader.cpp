#include "onnx/tensor_reader.h"

#include <algorithm>

#include "onnx/fail.h"
#include "onnx/typed_data.h"

namespace pare::onnx {

namespace {

constexpr int kExternal = 1;  // TensorProto.DataLocation

Dims dims_of(const TensorProto& proto, const std::string& subject) {
  Dims dims(proto.dims().begin(), proto.dims().end());
  for (const std::int64_t dim : dims)
    if (dim < 0) fail(subject, "has a negative dimension", {}, std::to_string(dim));
  return dims;
}

DType dtype_of_proto(const TensorProto& proto, const std::string& subject) {
  if (!is_valid_dtype(proto.data_type()))
    fail(subject, "has an unknown element type", "a type that ONNX defines (1 to 26)",
         std::to_string(proto.data_type()));
  return static_cast<DType>(proto.data_type());
}

/// Bytes of the tensor; counting them may itself overflow.
std::uint64_t size_of(DType dtype, const Dims& dims, const std::string& subject) {
  try {
    return dtype == DType::kString ? static_cast<std::uint64_t>(element_count(dims)) : bytes_for(dtype, dims);
  } catch (const Error&) {
    fail(subject, "has a shape with more elements than any file can hold", {}, to_string(dims));
  }
}

Tensor place(DType dtype, Dims dims, std::string_view bytes, const std::shared_ptr<const void>& owner) {
  if (owner) return Tensor::view(dtype, std::move(dims), bytes.data(), owner);
  Tensor copy(dtype, std::move(dims));
  std::copy_n(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size(), copy.mutable_raw());
  return copy;
}

}  // namespace

Tensor TensorReader::read_whole(const TensorProto& proto, DType dtype, const Dims& dims,
                                const std::string& subject) const {
  if (proto.cut_segment() >= tensors_.size())
    fail(subject, "names tensor data that the file does not hold", "below " + std::to_string(tensors_.size()),
         std::to_string(proto.cut_segment()));
  const Tensor& tensor = tensors_[proto.cut_segment()];
  if (tensor.dtype() != dtype || tensor.dims() != dims)
    fail(subject, "differs from its data", std::string(name(dtype)) + " " + to_string(dims),
         std::string(name(tensor.dtype())) + " " + to_string(tensor.dims()));
  return tensor;
}

Tensor TensorReader::read_raw(const TensorProto& proto, DType dtype, Dims dims, const std::string& subject) {
  const bool was_cut = proto.has_cut_segment();
  if (was_cut && whole_) return read_whole(proto, dtype, dims, subject);
  const std::string_view bytes = was_cut ? segments_.at(proto.cut_segment()) : std::string_view(proto.raw_data());
  const std::uint64_t expected = size_of(dtype, dims, subject);
  if (bytes.size() != expected)
    fail(subject, "has the wrong number of bytes for " + std::string(name(dtype)) + " " + to_string(dims),
         std::to_string(expected), std::to_string(bytes.size()));
  return place(dtype, std::move(dims), bytes, was_cut ? owner_ : nullptr);
}

Tensor TensorReader::read(const TensorProto& proto, const std::string& what) {
  const std::string subject = file_ + ": " + what;
  const DType dtype = dtype_of_proto(proto, subject);
  Dims dims = dims_of(proto, subject);
  const std::uint64_t expected = size_of(dtype, dims, subject);
  if (proto.has_segment()) refuse(subject, "is stored in segments, which no ONNX runtime reads");
  const bool raw = proto.has_raw_data() || proto.has_cut_segment();
  if (proto.data_location() == kExternal) {
    if (whole_) fail(subject, "names external data, which only ONNX files have");
    if (dtype == DType::kString) fail(subject, "is a tensor of strings with external data, which ONNX does not allow");
    const ExternalData data = external_.find(proto, expected, subject);
    return place(dtype, std::move(dims), data.bytes, data.owner);
  }
  if (typed_fields(proto) + (proto.has_raw_data() && !proto.raw_data().empty()) + proto.has_cut_segment() > 1)
    fail(subject, "holds its data in several fields");
  if (dtype == DType::kString) {
    if (raw) fail(subject, "is a tensor of strings with raw data, which ONNX does not allow");
    return read_typed(proto, dtype, dims, subject);
  }
  if (raw && typed_fields(proto) == 0) return read_raw(proto, dtype, std::move(dims), subject);
  if (typed_fields(proto) == 0 && expected > 0) fail(subject, "has no data", std::to_string(expected) + " bytes", "0");
  return read_typed(proto, dtype, dims, subject);
}

}  // namespace pare::onnx
