// Importer: attributes of nodes and functions.
#include "onnx/attribute_kind.h"
#include "onnx/fail.h"
#include "onnx/importer.h"

namespace pare::onnx {

namespace {

/// The kind that a file of IR 1 left unsaid, from the field that holds something.
int kind_of(const AttributeProto& proto) {
  struct Row {
    bool present;
    AttributeKind kind;
  };
  const Row rows[] = {
      {proto.has_f(), AttributeKind::kFloat},
      {proto.has_i(), AttributeKind::kInt},
      {proto.has_s(), AttributeKind::kString},
      {proto.has_t(), AttributeKind::kTensor},
      {proto.has_g(), AttributeKind::kGraph},
      {proto.floats_size() > 0, AttributeKind::kFloats},
      {proto.ints_size() > 0, AttributeKind::kInts},
      {proto.strings_size() > 0, AttributeKind::kStrings},
      {proto.tensors_size() > 0, AttributeKind::kTensors},
      {proto.graphs_size() > 0, AttributeKind::kGraphs},
  };
  for (const Row& row : rows)
    if (row.present) return static_cast<int>(row.kind);
  return static_cast<int>(AttributeKind::kUndefined);
}

int kinds_present(const AttributeProto& proto) {
  return proto.has_f() + proto.has_i() + proto.has_s() + proto.has_t() + proto.has_g() + (proto.floats_size() > 0) +
         (proto.ints_size() > 0) + (proto.strings_size() > 0) + (proto.tensors_size() > 0) + (proto.graphs_size() > 0);
}

/// What ir::Attribute keeps of a tensor beside its content.
std::string annotations_of(const TensorProto& proto) {
  TensorProto rest;
  if (proto.has_name()) rest.set_name(proto.name());
  if (proto.has_doc_string()) rest.set_doc_string(proto.doc_string());
  *rest.mutable_metadata_props() = proto.metadata_props();
  *rest.mutable_unknown_fields() = proto.unknown_fields();
  return rest.SerializeAsString();
}

std::vector<std::string> tensor_annotations(const AttributeProto& proto) {
  std::vector<std::string> all;
  if (proto.has_t()) all.push_back(annotations_of(proto.t()));
  for (const auto& tensor : proto.tensors()) all.push_back(annotations_of(tensor));
  for (const std::string& one : all)
    if (!one.empty()) return all;
  return {};
}

}  // namespace

ir::AttributeValue Importer::attribute_value(const AttributeProto& proto, int kind, const Who& who,
                                             const Scope* scope, const Opsets& opsets) {
  const bool reference = proto.has_ref_attr_name();
  switch (static_cast<AttributeKind>(kind)) {
    case AttributeKind::kFloat:
      return proto.f();
    case AttributeKind::kInt:
      return proto.i();
    case AttributeKind::kString:
      return proto.s();
    case AttributeKind::kFloats:
      return std::vector<float>(proto.floats().begin(), proto.floats().end());
    case AttributeKind::kInts:
      return std::vector<std::int64_t>(proto.ints().begin(), proto.ints().end());
    case AttributeKind::kStrings:
      return std::vector<std::string>(proto.strings().begin(), proto.strings().end());
    case AttributeKind::kTensor:
      if (reference) return Tensor();
      if (!proto.has_t()) fail(who(), "holds no tensor");
      return tensors_.read(proto.t(), who().substr(file_.size() + 2));
    case AttributeKind::kTensors: {
      std::vector<Tensor> tensors;
      for (const auto& tensor : proto.tensors()) tensors.push_back(tensors_.read(tensor, who().substr(file_.size() + 2)));
      return tensors;
    }
    case AttributeKind::kGraph:
      if (reference) return std::shared_ptr<ir::Graph>();
      if (!proto.has_g()) fail(who(), "holds no graph");
      return std::make_shared<ir::Graph>(graph(proto.g(), scope, opsets));
    default:
      break;
  }
  std::vector<std::shared_ptr<ir::Graph>> graphs;
  for (const auto& g : proto.graphs()) graphs.push_back(std::make_shared<ir::Graph>(graph(g, scope, opsets)));
  return graphs;
}

ir::Attribute Importer::attribute(const AttributeProto& proto, const Who& who, const Scope* scope,
                                  const Opsets& opsets) {
  ir::Attribute attribute;
  attribute.reference = proto.ref_attr_name();
  attribute.doc = proto.doc_string();
  if (kinds_present(proto) > 1) fail(who(), "holds values of several kinds");
  const int kind = proto.type() == 0 ? kind_of(proto) : proto.type();
  const bool understood =
      kind >= static_cast<int>(AttributeKind::kFloat) && kind <= static_cast<int>(AttributeKind::kGraphs);
  if (!understood) {
    if (kinds_present(proto) > 0)
      fail(who(), "holds a value of another kind than its type says", {}, std::to_string(kind));
    attribute.opaque = proto.SerializeAsString();
    return attribute;
  }
  if (kinds_present(proto) == 1 && kind_of(proto) != kind)
    fail(who(), "holds a value of another kind than its type says", std::to_string(kind), std::to_string(kind_of(proto)));
  attribute.unknown_fields = proto.unknown_fields();
  attribute.value = attribute_value(proto, kind, who, scope, opsets);
  attribute.tensor_annotations = tensor_annotations(proto);
  return attribute;
}

ir::Attributes Importer::attributes(const google::protobuf::RepeatedPtrField<AttributeProto>& protos,
                                    const Who& who, const Scope* scope, const Opsets& opsets) {
  ir::Attributes all;
  for (const auto& proto : protos) {
    const Who named = [&] { return who() + " attribute " + in_quotes(proto.name()); };
    if (proto.name().empty()) fail(who(), "has an attribute without a name");
    if (!all.emplace(proto.name(), attribute(proto, named, scope, opsets)).second) fail(named(), "is given twice");
  }
  return all;
}

}  // namespace pare::onnx
