// Importer: the model and its functions.
#include "onnx/baggage.h"
#include "onnx/fail.h"
#include "onnx/importer.h"

namespace pare::onnx {

namespace {

std::string range(std::int64_t low, std::int64_t high) { return std::to_string(low) + " to " + std::to_string(high); }

void check_ir(std::int64_t version, const std::string& file) {
  if (version < 1) fail(file, "is not an ONNX model (it has no IR version)");
  if (version > kNewestIr)
    refuse(file, "is written in a newer ONNX IR version than Pare knows", range(kOldestIr, kNewestIr),
           std::to_string(version));
  if (version < kOldestIr)
    refuse(file, "is written in an ONNX IR version too old for Pare", range(kOldestIr, kNewestIr),
           std::to_string(version));
}

}  // namespace

Importer::Opsets Importer::opsets(const google::protobuf::RepeatedPtrField<OperatorSetIdProto>& imports,
                                  const std::string& who) const {
  Opsets found;
  for (const auto& import : imports) {
    const std::string domain = normal_domain(import.domain());
    const std::int64_t version = import.version();
    if (version < 1)
      fail(who, "imports operator set " + in_quotes(domain) + " without a valid version", {}, std::to_string(version));
    const auto [entry, fresh] = found.emplace(domain, version);
    if (!fresh && entry->second != version)
      fail(who, "imports operator set " + in_quotes(domain) + " twice", std::to_string(entry->second),
           std::to_string(version));
    if (!domain.empty()) continue;
    if (version > kNewestOpset)
      refuse(who, "uses a newer opset than Pare knows", range(kOldestOpset, kNewestOpset), std::to_string(version));
    if (version < kOldestOpset)
      refuse(who, "uses an opset too old for Pare", range(kOldestOpset, kNewestOpset), std::to_string(version));
  }
  if (found.empty()) fail(who, "imports no operator set (opset_import is missing)");
  return found;
}

ir::Function Importer::function(FunctionProto& proto) {
  const std::string who = at("function " + in_quotes(proto.name()));
  ir::Function function;
  function.domain = normal_domain(proto.domain());
  function.name = proto.name();
  function.overload = proto.overload();
  function.attributes = {proto.attribute().begin(), proto.attribute().end()};
  function.opsets = opsets(proto.opset_import(), who);
  function.attribute_defaults = attributes(proto.attribute_proto(), [&] { return who; }, nullptr, function.opsets);
  function.baggage = baggage_of(proto);
  GraphProto body;
  for (const auto& name : proto.input()) body.add_input()->set_name(name);
  for (const auto& name : proto.output()) body.add_output()->set_name(name);
  body.mutable_node()->Swap(proto.mutable_node());
  body.mutable_value_info()->Swap(proto.mutable_value_info());
  function.body = std::make_shared<ir::Graph>(graph(body, nullptr, function.opsets));
  return function;
}

ir::Model Importer::model(ModelProto& proto) {
  check_ir(proto.ir_version(), file_);
  if (!proto.has_graph()) fail(file_, "is not an ONNX model (it has no graph)");
  ir::Model model;
  model.ir_version = proto.ir_version();
  model.opsets = opsets(proto.opset_import(), file_);
  model.producer_name = proto.producer_name();
  model.producer_version = proto.producer_version();
  model.domain = proto.domain();
  model.model_version = proto.model_version();
  model.baggage = baggage_of(proto);
  std::set<std::tuple<std::string, std::string, std::string>> seen;
  for (const auto& f : proto.functions()) {
    function_domains_.insert(normal_domain(f.domain()));
    if (!seen.emplace(normal_domain(f.domain()), f.name(), f.overload()).second)
      fail(at("function " + in_quotes(f.name())), "is defined twice");
  }
  for (auto& f : *proto.mutable_functions()) model.functions.push_back(function(f));
  model.graph = graph(proto.graph(), nullptr, model.opsets);
  return model;
}

}  // namespace pare::onnx
