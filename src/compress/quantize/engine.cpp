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

bool packs_weights(const json& options) {
  return engine_of(options).packed_weights && options.value("format", std::string("qdq")) == "qdq";
}

void cannot(const Engine& engine, const std::string& option, const std::string& why, const std::string& expected,
            const std::string& got) {
  throw Error(ErrorCode::kUnsupported, "quantize." + option, "the target " + std::string(engine.name) + " cannot: " + why,
              expected, got);
}

void refuse_4_bit_weights(const Engine& engine, const json& options) {
  const std::string why = "4-bit weights do not meet 8-bit activations there";
  if (const json mixed = options.value("mixed", json()); !mixed.is_null()) {
    const auto choices = mixed.at("choices").get<std::vector<double>>();
    if (std::find(choices.begin(), choices.end(), 4.0) != choices.end())
      cannot(engine, "mixed.choices", why, "other numbers of bits, which are stored in bytes", mixed.at("choices").dump());
  } else if (options.at("weights").at("bits") == 4) {
    cannot(engine, "weights.bits", why, "8, or other numbers of bits, which are stored in bytes", "4");
  }
}

void refuse_16_bit_activations(const Engine& engine, const json& options) {
  const std::string why = "it has no integers of 16 bits";
  const json &activations = options.at("activations"), wide = activations.value("wide", json::array());
  if (activations.at("bits") == 16) cannot(engine, "activations.bits", why, "8", "16");
  if (!wide.empty()) cannot(engine, "activations.wide", why, "[]", wide.dump());
  if (options.contains("protect") && options.at("protect").at("as") == "int16") cannot(engine, "protect.as", why, "float", "int16");
}

void refuse_few_bit_activations(const Engine& engine, const json& options) {
  const std::string why = "fewer than 8 bits are clipped in float, which keeps layers from fusing";
  const int bits = options.at("activations").at("bits"), edge = options.value("edge_bits", 0);
  if (bits < 8) cannot(engine, "activations.bits", why, "8", std::to_string(bits));
  if (edge > 0 && edge < 8) cannot(engine, "edge_bits", why, "0 or 8", std::to_string(edge));
}

void refuse_affine_weights(const Engine& engine, const json& options) {
  if (options.at("weights").value("scheme", "symmetric") == "affine")
    cannot(engine, "weights.scheme", "its weights are integers around 0", "symmetric", "affine");
}

void refuse_qoperators(const Engine& engine, const json& options) {
  if (options.value("format", std::string("qdq")) != "qdq")
    cannot(engine, "format", "it fuses QuantizeLinear and DequantizeLinear, not QLinear operators", "qdq",
           options.at("format").get<std::string>());
}

}  // namespace pare::compress
