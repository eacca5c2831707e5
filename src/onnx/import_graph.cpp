// Importer: one graph, its values and nodes.
#include "onnx/baggage.h"
#include "onnx/fail.h"
#include "onnx/importer.h"
#include "onnx/node_order.h"
#include "onnx/types.h"
#include "onnx/wire.h"

namespace pare::onnx {

namespace {

/// Name of a SparseTensorProto: that of its values, field 1.
std::string sparse_name(const std::string& bytes) {
  TensorProto values;
  try {
    for (WireReader reader(bytes); !reader.done();)
      if (const WireField field = reader.next(); field.number == 1)
        values.ParsePartialFromArray(field.payload.data(), static_cast<int>(field.payload.size()));
  } catch (const WireError&) {
    return "?";  // only the name for a message is wanted
  }
  return values.name();
}

}  // namespace

void Importer::declare(const ValueInfoProto& info, ir::Value& value) {
  if (value.dtype == DType::kUndefined && value.opaque_type.empty() && info.has_type())
    read_type(info.type(), value, at("value " + in_quotes(info.name())));
  if (is_empty(value.baggage)) value.baggage = baggage_of(info);
}

void Importer::add_inputs(const GraphProto& proto, Build& build) {
  for (const auto& info : proto.input()) {
    if (info.name().empty()) fail(file_, "has a graph input without a name");
    const ir::ValueId known = build.graph.find_value(info.name());
    if (known != ir::kNoValue && build.graph.value(known).constant) {
      build.graph.value(known).listed_as_input = true;
      continue;
    }
    if (known != ir::kNoValue) fail(at("graph input " + in_quotes(info.name())), "is listed twice");
    declare(info, build.graph.value(build.graph.add_input(info.name(), DType::kUndefined, {})));
  }
}

void Importer::add_initializers(const GraphProto& proto, Build& build) {
  for (const auto& tensor : proto.initializer()) {
    if (tensor.name().empty()) fail(file_, "has an initializer without a name");
    const std::string what = "initializer " + in_quotes(tensor.name());
    if (build.graph.find_value(tensor.name()) != ir::kNoValue) fail(at(what), "is defined twice");
    const ir::ValueId id = build.graph.add_initializer(tensor.name(), tensors_.read(tensor, what));
    build.graph.value(id).baggage = baggage_of(tensor);
  }
  if (proto.sparse_initializer_size() > 0)
    refuse(at("initializer " + in_quotes(sparse_name(proto.sparse_initializer(0)))),
           "is stored as a sparse tensor, which Pare does not read; store it densely");
}

void Importer::add_node_outputs(const GraphProto& proto, Build& build) {
  for (int i = 0; i < proto.node_size(); ++i) {
    for (const auto& name : proto.node(i).output()) {
      if (name.empty()) continue;
      if (build.graph.find_value(name) != ir::kNoValue)
        fail(at(describe(proto.node(i), i)), "writes " + in_quotes(name) + ", a name that another value already has");
      build.graph.add_value(name);
    }
  }
}

void Importer::apply_value_infos(const GraphProto& proto, Build& build) {
  for (const auto& info : proto.value_info()) {
    const ir::ValueId id = build.graph.find_value(info.name());
    if (id == ir::kNoValue) continue;  // says something about a value that does not exist
    ir::Value& value = build.graph.value(id);
    value.has_value_info = true;
    declare(info, value);
  }
}

ir::ValueId Importer::find_or_capture(const std::string& name, Build& build, const Who& reader) {
  if (name.empty()) return ir::kNoValue;
  const ir::ValueId known = build.graph.find_value(name);
  if (known != ir::kNoValue) return known;
  if (!build.outer || !build.outer->has(name)) fail(at(reader()), "reads " + in_quotes(name) + ", which nothing defines");
  const ir::ValueId id = build.graph.add_value(name);
  build.graph.value(id).captured = true;
  return id;
}

void Importer::add_outputs(const GraphProto& proto, Build& build) {
  for (const auto& info : proto.output()) {
    if (info.name().empty()) fail(file_, "has a graph output without a name");
    const ir::ValueId id = find_or_capture(info.name(), build, [&] { return "graph output " + in_quotes(info.name()); });
    declare(info, build.graph.value(id));
    build.graph.outputs.push_back(id);
  }
}

std::string Importer::node_name(const NodeProto& proto, Build& build, bool& made_up) {
  if (!proto.name().empty() && build.graph.find_node(proto.name()) == ir::kNoNode) return proto.name();
  made_up = true;
  const std::string stem = proto.name().empty() ? proto.op_type() : proto.name();
  for (int& count = build.last_made[stem];;) {
    std::string name = stem + "_" + std::to_string(++count);
    if (!build.reserved.contains(name) && build.graph.find_node(name) == ir::kNoNode) return name;
  }
}

void Importer::add_node(const NodeProto& proto, int index, Build& build) {
  const Who who = [&] { return describe(proto, index); };
  if (proto.op_type().empty()) fail(at(who()), "has no operator type");
  ir::Node node;
  node.op_type = proto.op_type();
  node.domain = normal_domain(proto.domain());
  node.overload = proto.overload();
  if (!build.opsets.contains(node.domain) && !function_domains_.contains(node.domain))
    fail(at(who()), "uses the operator domain " + in_quotes(node.domain) + ", which no opset_import names");
  node.name = node_name(proto, build, node.name_made_up);
  for (const auto& name : proto.input()) node.inputs.push_back(find_or_capture(name, build, who));
  for (const auto& name : proto.output())
    node.outputs.push_back(name.empty() ? ir::kNoValue : build.graph.find_value(name));
  const Scope scope{build.graph, build.outer};
  node.attributes = attributes(proto.attribute(), [&] { return at(who()); }, &scope, build.opsets);
  node.baggage = baggage_of(proto);
  build.graph.add_node(std::move(node));
}

ir::Graph Importer::graph(const GraphProto& proto, const Scope* outer, const Opsets& opsets) {
  ir::Graph graph;
  graph.name = proto.name();
  graph.baggage = baggage_of(proto);
  Build build{graph, outer, opsets, {}, {}};
  for (const auto& node : proto.node()) build.reserved.insert(node.name());
  add_initializers(proto, build);
  add_inputs(proto, build);
  add_node_outputs(proto, build);
  apply_value_infos(proto, build);
  for (const int index : node_order(proto, file_)) add_node(proto.node(index), index, build);
  add_outputs(proto, build);
  return graph;
}

}  // namespace pare::onnx
