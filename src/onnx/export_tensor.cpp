// Exporter: tensors and attributes.
#include <cstring>

#include "onnx/attribute_kind.h"
#include "onnx/baggage.h"
#include "onnx/exporter.h"

namespace pare::onnx {

namespace {

constexpr std::size_t kExternalBytes =
    1024;  // smaller tensors stay in the model: shapes and scalars are looked at often
constexpr std::uint64_t kPage = 4096, kLine = 64;  // large tensors begin at a page, so that they can be mapped alone

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

AttributeKind kind_of(const ir::AttributeValue& value) {
  static constexpr AttributeKind kKinds[] = {// in the order of the variant
                                             AttributeKind::kInt,    AttributeKind::kFloat,   AttributeKind::kString,
                                             AttributeKind::kInts,   AttributeKind::kFloats,  AttributeKind::kStrings,
                                             AttributeKind::kTensor, AttributeKind::kTensors, AttributeKind::kGraph,
                                             AttributeKind::kGraphs};
  static_assert(std::size(kKinds) == std::variant_size_v<ir::AttributeValue>);
  return kKinds[value.index()];
}

void add_entry(TensorProto& proto, const char* key, const std::string& value) {
  auto* entry = proto.add_external_data();
  entry->set_key(key);
  entry->set_value(value);
}

}  // namespace

void Exporter::place_external(std::string_view bytes, TensorProto& proto) {
  const std::uint64_t alignment = bytes.size() >= (std::size_t{1} << 20) ? kPage : kLine;
  const std::uint64_t offset = (external_size_ + alignment - 1) / alignment * alignment;
  external_.push_back({offset, bytes});
  external_size_ = offset + bytes.size();
  add_entry(proto, "location", external_file_);
  add_entry(proto, "offset", std::to_string(offset));
  add_entry(proto, "length", std::to_string(bytes.size()));
  proto.set_data_location(1);
}

void Exporter::write_tensor(const Tensor& tensor, TensorProto& proto) {
  for (const std::int64_t dim : tensor.dims()) proto.add_dims(dim);
  proto.set_data_type(static_cast<int>(tensor.dtype()));
  if (tensor.dtype() == DType::kString) {
    for (const std::string& text : tensor.string_data()) proto.add_string_data(text);
    return;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(tensor.raw()), tensor.bytes());
  if (bytes.size() < cut_bytes_) {
    proto.set_raw_data(bytes.data(), bytes.size());
    return;
  }
  proto.set_cut_segment(segments_.size());
  segments_.push_back(bytes);
  cut_tensors_.push_back(tensor);
}

void Exporter::write_initializer(const ir::Value& value, TensorProto& proto) {
  const Tensor& tensor = *value.constant;
  proto.set_name(value.name);
  put_baggage(value.baggage, proto);
  if (external_file_.empty() || tensor.dtype() == DType::kString || tensor.bytes() < kExternalBytes) {
    write_tensor(tensor, proto);
    return;
  }
  for (const std::int64_t dim : tensor.dims()) proto.add_dims(dim);
  proto.set_data_type(static_cast<int>(tensor.dtype()));
  place_external({reinterpret_cast<const char*>(tensor.raw()), tensor.bytes()}, proto);
}

void Exporter::write_attribute_value(const ir::Attribute& attribute, AttributeProto& proto) {
  const auto annotated = [&](const Tensor& tensor, std::size_t index, TensorProto& out) {
    if (index < attribute.tensor_annotations.size()) out.ParsePartialFromString(attribute.tensor_annotations[index]);
    write_tensor(tensor, out);
  };
  std::visit(
      Overloaded{
          [&](std::int64_t value) { proto.set_i(value); },
          [&](float value) { proto.set_f(value); },
          [&](const std::string& value) { proto.set_s(value); },
          [&](const std::vector<std::int64_t>& values) { proto.mutable_ints()->Add(values.begin(), values.end()); },
          [&](const std::vector<float>& values) { proto.mutable_floats()->Add(values.begin(), values.end()); },
          [&](const std::vector<std::string>& values) {
            for (const std::string& value : values) proto.add_strings(value);
          },
          [&](const Tensor& tensor) { annotated(tensor, 0, *proto.mutable_t()); },
          [&](const std::vector<Tensor>& tensors) {
            for (std::size_t i = 0; i < tensors.size(); ++i) annotated(tensors[i], i, *proto.add_tensors());
          },
          [&](const std::shared_ptr<ir::Graph>& graph) { write_graph(*graph, *proto.mutable_g(), false); },
          [&](const std::vector<std::shared_ptr<ir::Graph>>& graphs) {
            for (const auto& graph : graphs) write_graph(*graph, *proto.add_graphs(), false);
          },
      },
      attribute.value);
}

void Exporter::write_attribute(const ir::Attribute& attribute, const std::string& name, AttributeProto& proto) {
  if (!attribute.opaque.empty()) {
    proto.ParsePartialFromString(attribute.opaque);
    proto.set_name(name);
    return;
  }
  proto.set_name(name);
  proto.set_type(static_cast<int>(kind_of(attribute.value)));
  if (!attribute.doc.empty()) proto.set_doc_string(attribute.doc);
  proto.mutable_unknown_fields()->append(attribute.unknown_fields);
  if (attribute.reference.empty())
    write_attribute_value(attribute, proto);
  else
    proto.set_ref_attr_name(attribute.reference);
}

}  // namespace pare::onnx
