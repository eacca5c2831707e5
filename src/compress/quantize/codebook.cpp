// quantize/codebook: weights that take one of few values, wherever these lie: a codebook for each layer or output channel
// and an index for each weight. Written as Gather on the codebook; activations stay float, and so does the arithmetic.
#include "compress/quantize/common.h"
#include "compress/quantize/layer_codebook.h"
#include "pare/error.h"
#include "passes/qdq.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::vector<Option> declare() {
  using enum OptionType;
  std::vector<std::string_view> kinds;
  for (const Levels* levels : level_kinds()) kinds.push_back(levels->name);
  std::vector<Option> list = {
      {"levels", kString, "\"kmeans\"",
       "which values: kmeans (centroids of the weights), log (sign(w)·log(1+|w|) in even steps), log2 (powers of two, "
       "rounded in the logarithm), power-of-two (rounded to the nearest)",
       kinds},
      {"entries", kInt, "16", "of a codebook", {}, 2, 256},
      {"granularity", kString, "\"auto\"",
       "a codebook for each output channel or for the whole tensor; auto: for each channel up to 16 entries",
       {"auto", "channel", "tensor"}},
      {"start", kString, "\"auto\"",
       "where kmeans begins: evenly over the range (linear), evenly over the weights (density), at random (k-means++); "
       "auto: each of them, and the one that ends with the least error",
       {"auto", "linear", "density", "random"}},
      {"keep_zeros", kBool, "true", "weights that are exactly zero stay it"}};
  for (Option option : target_options()) list.push_back(option);
  return list;
}

std::span<const Option> options() {
  static const std::vector<Option> table = declare();
  return table;
}

bool needs_gradients(const json&) { return false; }
std::vector<StatisticsRequest> needs(const ir::Model&, const json&) { return {}; }

/// Error(kUnsupported) names a selected layer whose weights are of another type.
std::vector<Layer> layers_of(const ir::Model& model, const json& options) {
  std::vector<Layer> layers = target_layers(model.graph, options, "quantize");
  for (const Layer& layer : layers)
    if (const DType type = model.graph.constant(layer.weight.value)->dtype(); type != DType::kFloat32)
      throw Error(ErrorCode::kUnsupported, "node '" + layer.name + "'",
                  "codebooks are made of float32 weights; exclude the layer or convert the model", "float32",
                  std::string(name(type)));
  return layers;
}

CodebookSpec spec_of(const json& options) {
  CodebookSpec spec{.levels = &find_levels(options.at("levels").get<std::string>()),
                    .entries = options.at("entries"),
                    .keep_zeros = options.at("keep_zeros"),
                    .start = options.at("start")};
  const auto granularity = options.at("granularity").get<std::string>();
  spec.per_channel = granularity == "channel" || (granularity == "auto" && spec.entries <= 16);
  return spec;
}

/// Of indices of 4 bits, or of Gather as it is written.
std::int64_t opset_of(const json& options) { return options.at("entries").get<int>() <= 16 ? 21 : 13; }

void validate(const ir::Model& model, const StepContext& context) {
  require_not_quantized(model.graph);
  layers_of(model, context.options);
  const auto entries = context.options.at("entries").get<int>();
  if (context.options.at("levels") != "kmeans" && entries < 3)
    throw Error(ErrorCode::kUsage, "quantize.entries", "levels around 0 need more entries", "3 to 256",
                std::to_string(entries));
  ir::Model trial = model;
  passes::raise_opset(trial, opset_of(context.options));
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  passes::raise_opset(model, opset_of(context.options));
  const CodebookSpec spec = spec_of(context.options);
  Rng rng(context.execution.seed, kRngMethod);
  json told = json::array();
  std::set<std::string> done;
  for (const Layer& layer : layers_of(model, context.options)) {
    context.control.check_cancelled();
    if (!done.insert(layer.weight_name).second) continue;  // shared
    const LayerCodebook made = make_codebook(layer, *model.graph.constant(layer.weight.value), spec, rng);
    insert_codebook(model, layer, made);
    told.push_back({{"node", layer.name},
                    {"codebooks", made.parts},
                    {"entries", made.entries},
                    {"relative_error", made.error}});
  }
  context.record["codebook"] = {{"levels", context.options.at("levels")}, {"layers", std::move(told)}};
}

std::vector<std::string> target_names(const ir::Model& model, const json& options) {
  std::vector<std::string> names;
  for (const Layer& layer : layers_of(model, options)) names.push_back(layer.name);
  return names;
}

}  // namespace

const Method& codebook_quantization() {
  static const Method method = {"quantize",
                                "codebook",
                                "weights share few values, stored as indices into a codebook",
                                "Han, Mao & Dally, Deep Compression: Compressing Deep Neural Networks with Pruning, Trained "
                                "Quantization and Huffman Coding, 2016",
                                options,
                                needs_gradients,
                                needs,
                                validate,
                                apply,
                                true,
                                true,
                                target_names};
  return method;
}

}  // namespace pare::compress
