#include "onnx/types.h"

#include "onnx/fail.h"

namespace pare::onnx {

namespace {

ir::Dim read_dim(const TensorShapeProto::Dimension& dim, const std::string& subject) {
  if (dim.has_dim_value()) {
    if (dim.dim_value() < -1) fail(subject, "has a negative dimension", {}, std::to_string(dim.dim_value()));
    return dim.dim_value() < 0 ? ir::Dim() : ir::Dim(dim.dim_value());
  }
  return dim.dim_param().empty() ? ir::Dim() : ir::Dim::symbol(dim.dim_param());
}

/// The type without what ir::Value holds itself; "" when nothing is left.
std::string annotations_of(const TypeProto& type) {
  TypeProto rest = type;
  bool any = rest.has_denotation() || !rest.unknown_fields().empty() || !rest.tensor_type().unknown_fields().empty() ||
             !rest.tensor_type().shape().unknown_fields().empty();
  rest.mutable_tensor_type()->clear_elem_type();
  for (auto& dim : *rest.mutable_tensor_type()->mutable_shape()->mutable_dim()) {
    any = any || dim.has_denotation() || !dim.unknown_fields().empty();
    dim.clear_value();
  }
  return any ? rest.SerializeAsString() : std::string();
}

}  // namespace

void read_type(const TypeProto& type, ir::Value& value, const std::string& subject) {
  if (!type.has_tensor_type()) {
    value.opaque_type = type.SerializeAsString();
    return;
  }
  const auto& tensor = type.tensor_type();
  if (tensor.elem_type() != 0 && !is_valid_dtype(tensor.elem_type()))
    fail(subject, "has an unknown element type", "a type that ONNX defines (1 to 26)",
         std::to_string(tensor.elem_type()));
  value.dtype = static_cast<DType>(tensor.elem_type());
  value.type_annotations = annotations_of(type);
  if (!tensor.has_shape()) return;
  std::vector<ir::Dim> dims;
  for (const auto& dim : tensor.shape().dim()) dims.push_back(read_dim(dim, subject));
  value.shape = ir::Shape(std::move(dims));
}

void write_type(const ir::Value& value, ValueInfoProto& info) {
  if (!value.opaque_type.empty()) {
    info.mutable_type()->ParsePartialFromString(value.opaque_type);
    return;
  }
  if (value.dtype == DType::kUndefined && !value.shape.ranked()) return;
  TypeProto& type = *info.mutable_type();
  type.ParsePartialFromString(value.type_annotations);
  if (type.tensor_type().shape().dim_size() != value.shape.rank()) type.Clear();
  auto& tensor = *type.mutable_tensor_type();
  tensor.set_elem_type(static_cast<int>(value.dtype));
  if (!value.shape.ranked()) {
    tensor.clear_shape();
    return;
  }
  tensor.mutable_shape();
  for (std::int64_t axis = 0; axis < value.shape.rank(); ++axis) {
    const bool annotated = axis < tensor.shape().dim_size();
    auto& dim =
        annotated ? *tensor.mutable_shape()->mutable_dim(static_cast<int>(axis)) : *tensor.mutable_shape()->add_dim();
    if (value.shape[axis].is_known()) dim.set_dim_value(value.shape[axis].value());
    if (value.shape[axis].is_symbol()) dim.set_dim_param(value.shape[axis].name());
  }
}

}  // namespace pare::onnx
