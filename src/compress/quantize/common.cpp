#include "compress/quantize/common.h"

#include <algorithm>
#include <charconv>

#include "pare/error.h"

namespace pare::compress {

Option weights_option() {
  using enum OptionType;
  return {"weights",
          kGroup,
          "{}",
          "how weights are stored",
          {},
          {},
          {},
          {{"bits", kInt, "8", "of a weight", {}, 1, 16},
           {"scheme", kString, "\"symmetric\"",
            "symmetric: around 0, as integer kernels are fastest and sparse ones need it; affine: with a zero point, for weights "
            "that lie to one side",
            {"symmetric", "affine"}},
           {"granularity",
            kString,
            "\"channel\"",
            "a scale for each output channel, or for the tensor",
            {"channel", "tensor"}},
           scales_option()}};
}

Option scales_option() {
  return {"scales", OptionType::kString, "\"free\"",
          "power-of-two: multiplying by a scale is a shift (fixed point)", {"free", "power-of-two"}};
}

Option sign_quantizer_option() {
  return {"quantizer", OptionType::kString, "\"auto\"",
          "even: integers in even steps; binary: sign and mean (XNOR-Net, Rastegari et al. 2016), 1 bit; ternary: by a threshold "
          "(TWN, Li et al. 2016), 2 bits; auto: binary for 1 bit, else even",
          {"auto", "even", "binary", "ternary"}};
}

namespace {

std::optional<ir::FakeScheme> signs_of(const nlohmann::json& weights) {
  const auto quantizer = weights.value("quantizer", std::string("even"));
  if (quantizer == "ternary") return ir::FakeScheme::kTernary;
  if (quantizer == "binary" || (quantizer == "auto" && weights.at("bits") == 1)) return ir::FakeScheme::kBinary;
  return std::nullopt;
}

[[noreturn]] void does_not_go(const char* option, const std::string& quantizer, const std::string& expected,
                              const std::string& got) {
  throw Error(ErrorCode::kUsage, std::string("quantize.weights.") + option, "does not go with the quantizer " + quantizer,
              expected, got);
}

/// What binary and ternary weights leave no choice of.
void require_signs_alone(const nlohmann::json& options, ir::FakeScheme signs) {
  const nlohmann::json& weights = options.at("weights");
  const std::string name(ir::name(signs));
  const int own = signs == ir::FakeScheme::kBinary ? 1 : 2, bits = weights.at("bits");
  if (bits != own && bits != 8) does_not_go("bits", name, std::to_string(own), std::to_string(bits));  // 8 is the default
  if (weights.at("scheme") == "affine") does_not_go("scheme", name, "symmetric", "affine");
  if (weights.at("scales") != "free") does_not_go("scales", name, "free", weights.at("scales"));
  const auto rounding = weights.value("rounding", std::string("auto"));
  if (rounding != "auto" && rounding != "nearest") does_not_go("rounding", name, "auto", rounding);
  if (!options.value("mixed", nlohmann::json()).is_null())
    throw Error(ErrorCode::kUsage, "quantize.weights.quantizer", "mixed chooses among bits of even steps", "even", name);
}

}  // namespace

WeightSpec weight_spec(const nlohmann::json& weights) {
  return {.bits = weights.at("bits"),
          .symmetric = weights.at("scheme") == "symmetric",
          .per_channel = weights.value("granularity", "channel") == "channel",
          .group = weights.value("group_size", std::int64_t{0}),
          .power_of_two = weights.value("scales", "free") == "power-of-two",
          .signs = signs_of(weights)};
}

ActivationSpec activation_spec(const nlohmann::json& activations) {
  return {.bits = activations.value("bits", 8), .power_of_two = activations.value("scales", "free") == "power-of-two"};
}

Strength strength_option(const nlohmann::json& options, const std::string& key) {
  const auto text = options.at(key).get<std::string>();
  if (text == "auto") return {.automatic = true, .alpha = {}};
  if (text == "off") return {};
  double alpha = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), alpha);
  if (fault != std::errc() || end != text.data() + text.size() || !(alpha >= 0 && alpha <= 1))
    throw Error(ErrorCode::kUsage, "quantize." + key, "not a migration strength", "auto, off or a number from 0 to 1",
                text);
  return {.automatic = false, .alpha = alpha};
}

void require_weight_bits(const nlohmann::json& options) {
  const auto bits = options.at("weights").at("bits").get<int>();
  const auto signs = signs_of(options.at("weights"));
  const int least = options.at("weights").contains("quantizer") ? 1 : 2;
  if (bits < least || bits > 8)
    throw Error(ErrorCode::kUnsupported, "quantize.weights.bits", "weights are stored as integers of few bits",
                std::to_string(least) + " to 8", std::to_string(bits));
  if (signs) return require_signs_alone(options, *signs);
  if (bits == 1) does_not_go("bits", "even", "2 to 8 (1: binary)", "1");
}

void require_8_bits(const nlohmann::json& options, const std::string& group) {
  const auto bits = options.at(group).at("bits").get<int>();
  if (bits != 8)
    throw Error(ErrorCode::kUnsupported, "quantize." + group + ".bits", "only 8-bit integers are supported", "8",
                std::to_string(bits));
}

void require_opset(const ir::Model& model, std::int64_t opset, const std::string& asked_by,
                   const std::string& instead) {
  ir::Model trial = model;
  try {
    passes::raise_opset(trial, opset);
  } catch (const Error& error) {
    const std::string told = error.what(), subject = error.subject() + ": ";
    throw Error(error.code(), error.subject(),
                (told.starts_with(subject) ? told.substr(subject.size()) : told) +
                    (instead.empty() ? "" : ", or take " + instead) + ": " + asked_by + " opset " +
                    std::to_string(opset));
  }
}

void require_not_quantized(const ir::Graph& graph) {
  constexpr std::string_view kTypes[] = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"};
  for (ir::NodeId id : graph.nodes())
    if (std::any_of(std::begin(kTypes), std::end(kTypes),
                    [&](std::string_view type) { return graph.node(id).is(type); }))
      throw Error(ErrorCode::kUnsupported, "node '" + graph.node(id).name + "'", "the model is quantized already");
}

}  // namespace pare::compress
