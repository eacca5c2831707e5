#include "onnx/exporter.h"

#include "onnx/baggage.h"
#include "onnx/importer.h"
#include "onnx/types.h"

namespace pare::onnx {

namespace {

void write_info(const ir::Value& value, bool with_baggage, ValueInfoProto& info) {
  info.set_name(value.name);
  write_type(value, info);
  if (with_baggage) put_baggage(value.baggage, info);
}

bool is_initializer(const ir::Value& value) {
  return value.constant && value.producer == ir::kNoNode && !value.captured;
}

void write_opsets(const std::map<std::string, std::int64_t>& opsets,
                  google::protobuf::RepeatedPtrField<OperatorSetIdProto>& out) {
  for (const auto& [domain, version] : opsets) {
    OperatorSetIdProto& entry = *out.Add();
    entry.set_domain(domain);
    entry.set_version(version);
  }
}

}  // namespace

Exporter::Exporter(const ir::Model& model, std::string external_file, std::size_t cut_bytes)
    : model_(model), external_file_(std::move(external_file)), cut_bytes_(cut_bytes) {
  write_model();
}

Rope Exporter::rope() const { return splice(proto_.SerializePartialAsString(), MessageKind::kModel, segments_); }

void Exporter::write_model() {
  proto_.set_ir_version(model_.ir_version);
  if (!model_.producer_name.empty()) proto_.set_producer_name(model_.producer_name);
  if (!model_.producer_version.empty()) proto_.set_producer_version(model_.producer_version);
  if (!model_.domain.empty()) proto_.set_domain(model_.domain);
  if (model_.model_version != 0) proto_.set_model_version(model_.model_version);
  write_opsets(model_.opsets, *proto_.mutable_opset_import());
  put_baggage(model_.baggage, proto_);
  for (const ir::Function& function : model_.functions) write_function(function, *proto_.add_functions());
  write_graph(model_.graph, *proto_.mutable_graph(), true);
}

void Exporter::write_function(const ir::Function& function, FunctionProto& proto) {
  const ir::Graph& body = *function.body;
  proto.set_domain(function.domain);
  proto.set_name(function.name);
  if (!function.overload.empty()) proto.set_overload(function.overload);
  for (const std::string& name : function.attributes) proto.add_attribute(name);
  for (const auto& [name, attribute] : function.attribute_defaults)
    write_attribute(attribute, name, *proto.add_attribute_proto());
  write_opsets(function.opsets, *proto.mutable_opset_import());
  put_baggage(function.baggage, proto);
  for (const ir::ValueId id : body.inputs) proto.add_input(body.value(id).name);
  for (const ir::ValueId id : body.outputs) proto.add_output(body.value(id).name);
  for (const ir::NodeId id : body.nodes()) write_node(body, body.node(id), *proto.add_node());
  for (const ir::ValueId id : body.values())
    if (body.value(id).has_value_info) write_info(body.value(id), true, *proto.add_value_info());
}

void Exporter::write_graph(const ir::Graph& graph, GraphProto& proto, bool top) {
  proto.set_name(graph.name.empty() ? "graph" : graph.name);  // ONNX demands a name
  put_baggage(graph.baggage, proto);
  const bool list_all = top && model_.ir_version < 4;  // older readers know initializers only as inputs with a default
  for (const ir::ValueId id : graph.inputs) write_info(graph.value(id), true, *proto.add_input());
  for (const ir::NodeId id : graph.nodes()) write_node(graph, graph.node(id), *proto.add_node());
  for (const ir::ValueId id : graph.values()) {
    const ir::Value& value = graph.value(id);
    const bool constant = is_initializer(value);
    if (constant) write_initializer(value, *proto.add_initializer());
    if (constant && (value.listed_as_input || list_all)) write_info(value, false, *proto.add_input());
    if (value.has_value_info && !graph.is_input(id)) write_info(value, !constant, *proto.add_value_info());
  }
  for (const ir::ValueId id : graph.outputs) {
    const ir::Value& value = graph.value(id);
    write_info(value, !value.has_value_info && !value.constant && !graph.is_input(id), *proto.add_output());
  }
}

void Exporter::write_node(const ir::Graph& graph, const ir::Node& node, NodeProto& proto) {
  const auto name_of = [&](ir::ValueId id) { return id == ir::kNoValue ? std::string() : graph.value(id).name; };
  for (const ir::ValueId id : node.inputs) proto.add_input(name_of(id));
  for (const ir::ValueId id : node.outputs) proto.add_output(name_of(id));
  if (!node.name.empty() && !node.name_made_up) proto.set_name(node.name);
  proto.set_op_type(node.op_type);
  if (!node.domain.empty()) proto.set_domain(node.domain);
  if (!node.overload.empty()) proto.set_overload(node.overload);
  for (const auto& [name, attribute] : node.attributes) write_attribute(attribute, name, *proto.add_attribute());
  put_baggage(node.baggage, proto);
}

}  // namespace pare::onnx
