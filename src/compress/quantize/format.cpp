#include "compress/quantize/format.h"

#include "pare/error.h"
#include "passes/qoperator.h"

namespace pare::compress {

using nlohmann::json;

Option format_option() {
  return {"format", OptionType::kString, "\"qdq\"",
          "qdq: QuantizeLinear and DequantizeLinear around float operators; qoperator: QLinearConv, QLinearMatMul and, from "
          "com.microsoft, QGemm, QLinearAdd and the like, where there is one",
          {"qdq", "qoperator"}};
}

bool may_be_wide(const json& options) {
  const json& activations = options.at("activations");
  return activations.at("bits") == 16 || !activations.value("wide", json::array()).empty() ||
         (options.contains("protect") && options.at("protect").at("as") == "int16");
}

void require_qoperators(const json& options) {
  if (options.at("format") != "qoperator") return;
  const bool mixed = !options.value("mixed", json()).is_null();
  if (options.at("weights").at("bits") == 4 || mixed)
    throw Error(ErrorCode::kUnsupported, "quantize.format", "QLinear operators take no 4-bit weights",
                "weights stored in bytes, or format qdq", mixed ? "mixed" : "4");
  if (may_be_wide(options))
    throw Error(ErrorCode::kUnsupported, "quantize.format", "QLinear operators take no 16-bit activations",
                "8-bit activations, or format qdq", "16");
}

void write_format(ir::Model& model, StepContext& context) {
  if (context.options.at("format") != "qoperator") return;
  const passes::QOperators done = passes::to_qoperators(model);
  json kept = json::array();
  for (const auto& [node, reason] : done.kept) kept.push_back({{"node", node}, {"reason", reason}});
  context.control.info("quantize: " + std::to_string(done.converted) + " operators in QOperator form" +
                       (done.microsoft ? ", some of com.microsoft" : "") + ", " + std::to_string(done.kept.size()) +
                       " stay in QDQ form");
  context.record["quantized"]["qoperators"] = {
      {"converted", done.converted}, {"microsoft", done.microsoft}, {"kept", std::move(kept)}};
}

}  // namespace pare::compress
