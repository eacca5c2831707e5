// quantize/codebook: weights that take one of few values, wherever these lie: a codebook for each layer, output channel or
// position, of numbers or of vectors, and an index for each weight or vector. Written as Gather on the codebook;
// activations stay float, and so does the arithmetic.
#include "compress/quantize/common.h"
#include "compress/quantize/layer_codebook.h"
#include "compress/quantize/probe.h"
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
       "rounded in the logarithm), power-of-two (rounded to the nearest), binary (sign and mean), ternary (0 up to a "
       "threshold, then sign and mean)",
       kinds},
      {"entries", kInt, "16", "of a codebook", {}, 2, 256},
      {"vector", kInt, "1",
       "weights of one output, next to each other, that an index stands for: more than 1 makes a codebook of vectors "
       "(kmeans only)",
       {}, 1, 64},
      {"granularity", kString, "\"auto\"",
       "which weights share a codebook: those of an output channel (channel), of so many channels (group), at the same "
       "inputs (position, of vectors: product quantization) or all (tensor); auto: channel up to 16 entries of numbers, "
       "else tensor",
       {"auto", "channel", "group", "position", "tensor"}},
      {"channels", kInt, "16", "output channels that share a codebook with granularity group", {}, 1, 65536},
      {"start", kString, "\"auto\"",
       "where kmeans begins: evenly over the range (linear), evenly over the weights (density), at random (k-means++); "
       "auto: each of them, and the one that ends with the least error; vectors begin at random",
       {"auto", "linear", "density", "random"}},
      {"weighting", kString, "\"none\"",
       "what counts in kmeans: every weight alike (none), or by the mean square of the input that it meets on training "
       "samples (inputs)",
       {"none", "inputs"}},
      {"samples", kInt, "256", "training samples that weighting looks at; 0: all", {}, 0, 1e12},
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

/// Of a codebook: no more than its levels ever are.
int entries_of(const json& options) {
  return std::min(options.at("entries").get<int>(), find_levels(options.at("levels").get<std::string>()).most);
}

CodebookSpec spec_of(const json& options) {
  using enum CodebookSpec::Sharing;
  CodebookSpec spec{.levels = &find_levels(options.at("levels").get<std::string>()),
                    .entries = entries_of(options),
                    .vector = options.at("vector"),
                    .keep_zeros = options.at("keep_zeros"),
                    .start = options.at("start")};
  const auto granularity = options.at("granularity").get<std::string>();
  if (granularity == "channel" || (granularity == "auto" && spec.entries <= 16 && spec.vector == 1)) {
    spec.sharing = kChannels;
  } else if (granularity == "group") {
    spec.sharing = kChannels;
    spec.channels = options.at("channels");
  } else if (granularity == "position") {
    spec.sharing = kPosition;
  }
  return spec;
}

/// Of indices of 4 bits, or of Gather as it is written.
std::int64_t opset_of(const json& options) { return entries_of(options) <= kFourBitEntries ? 21 : 13; }

void refuse(const char* option, const std::string& why, const std::string& expected, const std::string& got) {
  throw Error(ErrorCode::kUsage, std::string("quantize.") + option, why, expected, got);
}

/// Options that contradict each other.
void validate_options(const json& options) {
  const bool vectors = options.at("vector").get<int>() > 1, kmeans = options.at("levels") == "kmeans";
  const auto start = options.at("start").get<std::string>();
  if (vectors && !kmeans) refuse("levels", "vectors are centroids", "kmeans", options.at("levels"));
  if (vectors && (start == "linear" || start == "density"))
    refuse("start", "vectors have no order to begin evenly in", "auto or random", start);
  if (!vectors && options.at("granularity") == "position")
    refuse("granularity", "only vectors share a codebook by position", "vector: 2 or more", "vector: 1");
  if (!kmeans && options.at("weighting") != "none")
    refuse("weighting", "these levels do not follow the weights", "levels: kmeans", options.at("levels"));
  if (const int entries = options.at("entries"); !kmeans && entries < 3)
    refuse("entries", "levels around 0 need more entries", "3 to 256", std::to_string(entries));
}

void validate(const ir::Model& model, const StepContext& context) {
  require_not_quantized(model.graph);
  validate_options(context.options);
  if (context.options.at("weighting") == "inputs" && (!context.dataset.train || context.dataset.train->size() == 0))
    throw Error(ErrorCode::kUsage, "quantize.weighting", "inputs are seen on a train split, which the data lacks");
  const std::int64_t vector = context.options.at("vector");
  for (const Layer& layer : layers_of(model, context.options)) {
    const Tensor& weight = *model.graph.constant(layer.weight.value);
    const std::int64_t inputs = weight.numel() / std::max<std::int64_t>(1, weight.dim(layer.weight.output_axis));
    if (inputs % vector != 0) throw not_whole_vectors(layer, inputs, vector);
  }
  const std::int64_t opset = opset_of(context.options);
  require_opset(model, opset, opset == 21 ? "indices of 4 bits need" : "codebooks need",
                opset == 21 ? "more than 16 entries (opset 13)" : "");
}

/// The mean square of the input that each weight meets, in the weight's layout: the diagonal of the Hessian of the
/// layer's squared output error, taps alike.
std::vector<float> importance_of(const ir::Model& model, const Layer& layer, const InputChannels& seen) {
  const ir::WeightView& view = layer.weight.view;
  std::vector<float> counts(static_cast<std::size_t>(model.graph.constant(layer.weight.value)->numel()));
  const std::int64_t groups = static_cast<std::int64_t>(seen.power.size()) / view.inputs, each = view.outputs / groups;
  for (std::int64_t o = 0; o < view.outputs; ++o)
    for (std::int64_t t = 0; t < view.taps; ++t)
      for (std::int64_t i = 0; i < view.inputs; ++i)
        counts[static_cast<std::size_t>(view.index(o, t, i))] =
            static_cast<float>(seen.power[static_cast<std::size_t>(o / each * view.inputs + i)]);
  return counts;
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  passes::raise_opset(model, opset_of(context.options));
  CodebookSpec spec = spec_of(context.options);
  spec.two_bits = model.opset() >= kTwoBitIndexOpset;
  const std::vector<Layer> layers = layers_of(model, context.options);
  std::map<std::string, InputChannels> seen;
  if (context.options.at("weighting") == "inputs")
    seen = input_channels(model, layers, context.options.at("samples"), context);
  Rng rng(context.execution.seed, kRngMethod);
  json told = json::array();
  std::set<std::string> done;
  for (const Layer& layer : layers) {
    context.control.check_cancelled();
    if (!done.insert(layer.weight_name).second) continue;  // shared
    std::vector<float> importance;
    if (!seen.empty()) importance = importance_of(model, layer, seen.at(layer.name));
    const LayerCodebook made = make_codebook(layer, *model.graph.constant(layer.weight.value), spec, rng, importance);
    insert_codebook(model, layer, made);
    told.push_back({{"node", layer.name},
                    {"codebooks", made.parts},
                    {"entries", made.entries},
                    {"vector", made.vector},
                    {"bits", made.bits()},
                    {"relative_error", made.error}});
    if (made.bits() >= 32)
      context.control.warn("quantize: the codebooks of '" + layer.name + "' take more than its weights did");
    context.control.report({"codebook", static_cast<std::int64_t>(told.size()), static_cast<std::int64_t>(layers.size()),
                            "layers", {}, -1});
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
                                "weights share few values or vectors, stored as indices into a codebook",
                                "Han, Mao & Dally, Deep Compression: Compressing Deep Neural Networks with Pruning, Trained "
                                "Quantization and Huffman Coding, 2016; vectors: Gong et al., Compressing Deep Convolutional "
                                "Networks using Vector Quantization, 2014",
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
