#include "compress/quantize/engine.h"

#include <algorithm>

#include "pare/error.h"

namespace pare::compress {

using nlohmann::json;

std::span<const Engine* const> engines() {
  static const Engine* const table[] = {
#define PARE_ENGINE(file, function) &function(),
#include "compress/quantize/engines.inc"
#undef PARE_ENGINE
  };
  return table;
}

const Engine& engine_of(const json& options) {
  const std::string name = options.value("target", std::string(engines().front()->name));
  for (const Engine* engine : engines())
    if (engine->name == name) return *engine;
  throw Error(ErrorCode::kInternal, name, "no such engine");
}

Option target_engine_option() {
  std::vector<std::string_view> names;
  for (const Engine* engine : engines()) names.push_back(engine->name);
  return {"target", OptionType::kString, "\"any\"",
          "the engine whose rules the file keeps, so that it fuses there (docs/quantization.md)", names};
}

std::string_view activation_scheme(const json& options, bool positive) {
  const json& given = options.at("activations").at("scheme");
  const Engine& engine = engine_of(options);
  if (given == "affine" || (given == "auto" && engine.scheme == "affine")) return "affine";
  return positive && engine.unsigned_where_positive ? "affine" : "symmetric";  // whose zero point is then 0
}

void cannot(const Engine& engine, const std::string& option, const std::string& why, const std::string& expected,
            const std::string& got) {
  throw Error(ErrorCode::kUnsupported, "quantize." + option, "the target " + std::string(engine.name) + " cannot: " + why,
              expected, got);
}

void refuse_4_bit_weights(const Engine& engine, const json& options) {
  const std::string why = "4-bit weights do not meet 8-bit activations there";
  if (const json& mixed = options.at("mixed"); !mixed.is_null()) {
    const auto choices = mixed.at("choices").get<std::vector<double>>();
    if (std::find(choices.begin(), choices.end(), 4.0) != choices.end())
      cannot(engine, "mixed.choices", why, "other numbers of bits, which are stored in bytes", mixed.at("choices").dump());
  } else if (options.at("weights").at("bits") == 4) {
    cannot(engine, "weights.bits", why, "8, or other numbers of bits, which are stored in bytes", "4");
  }
}

void refuse_16_bit_activations(const Engine& engine, const json& options) {
  const std::string why = "it has no integers of 16 bits";
  const json& activations = options.at("activations");
  if (activations.at("bits") != 8) cannot(engine, "activations.bits", why, "8", activations.at("bits").dump());
  if (!activations.at("wide").empty()) cannot(engine, "activations.wide", why, "[]", activations.at("wide").dump());
  if (options.at("protect").at("as") == "int16") cannot(engine, "protect.as", why, "float", "int16");
}

void refuse_qoperators(const Engine& engine, const json& options) {
  if (options.value("format", std::string("qdq")) != "qdq")
    cannot(engine, "format", "it fuses QuantizeLinear and DequantizeLinear, not QLinear operators", "qdq",
           options.at("format").get<std::string>());
}

}  // namespace pare::compress
