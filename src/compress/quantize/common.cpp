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
           {"scheme", kString, "\"symmetric\"", "zero is 0, so that pruned weights stay zero", {"symmetric"}},
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

WeightSpec weight_spec(const nlohmann::json& weights) {
  return {.bits = weights.at("bits"),
          .symmetric = weights.at("scheme") == "symmetric",
          .per_channel = weights.value("granularity", "channel") == "channel",
          .group = weights.value("group_size", std::int64_t{0}),
          .power_of_two = weights.value("scales", "free") == "power-of-two"};
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
  if (bits < 2 || bits > 8)
    throw Error(ErrorCode::kUnsupported, "quantize.weights.bits", "weights are stored as integers of few bits",
                "2 to 8", std::to_string(bits));
}

void require_8_bits(const nlohmann::json& options, const std::string& group) {
  const auto bits = options.at(group).at("bits").get<int>();
  if (bits != 8)
    throw Error(ErrorCode::kUnsupported, "quantize." + group + ".bits", "only 8-bit integers are supported", "8",
                std::to_string(bits));
}

void require_not_quantized(const ir::Graph& graph) {
  constexpr std::string_view kTypes[] = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"};
  for (ir::NodeId id : graph.nodes())
    if (std::any_of(std::begin(kTypes), std::end(kTypes),
                    [&](std::string_view type) { return graph.node(id).is(type); }))
      throw Error(ErrorCode::kUnsupported, "node '" + graph.node(id).name + "'", "the model is quantized already");
}

}  // namespace pare::compress
