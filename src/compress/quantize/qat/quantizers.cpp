#include "compress/quantize/qat/quantizers.h"

#include <algorithm>
#include <cmath>

#include "compress/quantize/engine.h"
#include "compress/quantize/format.h"
#include "compress/quantize/group_size.h"
#include "compress/quantize/qat/grouping.h"
#include "compress/quantize/qat/scale_search.h"
#include "pare/error.h"
#include "passes/qdq.h"

namespace pare::compress {
namespace {

using ir::FakeScheme;
using nlohmann::json;

/// What the options ask of weights.
struct WeightChoice {
  FakeScheme scheme;
  int bits;
  bool power_of_two = false;

  /// What its integers lie between.
  std::int64_t low() const {
    if (ir::derives_scale(scheme)) return -1;
    if (scheme == FakeScheme::kDorefa) return 1 - (std::int64_t{1} << bits);
    return bits == 8 ? -127 : -(std::int64_t{1} << (bits - 1));  // bytes are symmetric, as static quantization stores them
  }
  std::int64_t high() const {
    if (ir::derives_scale(scheme) || scheme == FakeScheme::kDorefa) return -low();
    return (std::int64_t{1} << (bits - 1)) - 1;
  }
  bool packs() const {
    return passes::narrowest_type(static_cast<double>(low()), static_cast<double>(high())) == DType::kInt4;
  }
};

[[noreturn]] void refuse_bits(const std::string& quantizer, const std::string& expected, int bits) {
  throw Error(ErrorCode::kUsage, "quantize.weights.bits", "does not go with the quantizer " + quantizer, expected,
              std::to_string(bits));
}

WeightChoice free_choice(const json& weights) {
  const auto quantizer = weights.at("quantizer").get<std::string>();
  const bool given = !weights.at("bits").is_null();
  const int bits = given ? weights.at("bits").get<int>() : quantizer == "binary" ? 1 : quantizer == "ternary" ? 2 : 4;
  if (quantizer == "binary" || (quantizer == "auto" && bits == 1)) {
    if (bits != 1) refuse_bits("binary", "1", bits);
    return {FakeScheme::kBinary, 1};
  }
  if (quantizer == "ternary") {
    if (bits != 2) refuse_bits("ternary", "2", bits);
    return {FakeScheme::kTernary, 2};
  }
  if (quantizer == "dorefa") {
    // Its 2^bits levels are the odd numbers up to 2^bits − 1: 8 bits would not fit into a byte.
    if (bits < 2 || bits > 7) refuse_bits("dorefa", "2 to 7 (1: binary)", bits);
    return {FakeScheme::kDorefa, bits};
  }
  if (bits < 2) refuse_bits("lsq", "2 to 8 (1: binary)", bits);
  return {FakeScheme::kLsq, bits};
}

WeightChoice weight_choice(const json& weights) {
  WeightChoice choice = free_choice(weights);
  choice.power_of_two = weights.at("scales") == "power-of-two";
  if (choice.power_of_two && choice.scheme != FakeScheme::kLsq)
    throw Error(ErrorCode::kUsage, "quantize.weights.scales",
                "does not go with the quantizer " + std::string(ir::name(choice.scheme)) + ", whose scale follows from the weights",
                "free, or the quantizer lsq", "power-of-two");
  return choice;
}

WeightChoice edge_choice(const json& options) {
  return {FakeScheme::kLsq, options.at("edge_bits"), options.at("weights").at("scales") == "power-of-two"};
}

/// The parts of a weight that share a scale.
std::vector<std::vector<float>> parts_of(const Tensor& weight, std::int64_t axis) {
  const passes::ParamMap map({.axis = static_cast<int>(axis)}, weight.dims());
  std::vector<std::vector<float>> parts(map.count());
  const auto values = weight.data<float>();
  for (std::size_t i = 0; i < values.size(); ++i) parts[map(i)].push_back(values[i]);
  return parts;
}

/// A part of zeros takes the largest scale: its bias keeps a sensible step.
void fill_empty(std::vector<float>& scale, const std::vector<std::vector<float>>& parts) {
  float largest = 0;
  const auto is_zero = [](const std::vector<float>& part) {
    return std::all_of(part.begin(), part.end(), [](float w) { return w == 0; });
  };
  for (std::size_t c = 0; c < parts.size(); ++c)
    if (!is_zero(parts[c])) largest = std::max(largest, scale[c]);
  for (std::size_t c = 0; c < parts.size(); ++c)
    if (is_zero(parts[c]) && largest > 0) scale[c] = largest;
}

/// The scale E with the least Σ (w − E·level/high)² of each part: Σ w·level / Σ level² · high.
std::vector<float> fitted_scale(const Tensor& weight, const ir::FakeQuantizer& how) {
  const passes::ParamMap map({.axis = static_cast<int>(how.axis)}, weight.dims());
  const std::vector<float> ones(map.count(), 1);
  const ir::FakeLevels found = ir::fake_levels(how, weight, ones, std::nullopt);
  std::vector<double> products(map.count(), 0), squares(map.count(), 0);
  const auto values = weight.data<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double level = found.levels[i];
    products[map(i)] += static_cast<double>(values[i]) * level;
    squares[map(i)] += level * level;
  }
  std::vector<float> scale;
  for (std::size_t c = 0; c < products.size(); ++c)
    scale.push_back(squares[c] > 0 && products[c] > 0
                        ? static_cast<float>(products[c] / squares[c] * static_cast<double>(how.high))
                        : 1.0F);
  return scale;
}

Quantizer weight_quantizer(const Tensor& weight, int output_axis, const WeightChoice& choice, bool per_channel) {
  Quantizer out;
  out.bits = choice.bits;
  out.how.scheme = choice.scheme;
  out.how.axis = per_channel ? output_axis : -1;
  out.how.low = choice.low();
  out.how.high = choice.high();
  if (ir::derives_scale(choice.scheme)) return out;
  if (choice.scheme == FakeScheme::kDorefa) {
    out.scale = fitted_scale(weight, out.how);
    return out;
  }
  out.power_of_two = choice.power_of_two;
  if (out.power_of_two) out.how.scheme = FakeScheme::kFixed;
  const auto best = out.power_of_two ? best_power_of_two : best_step;
  const auto parts = parts_of(weight, out.how.axis);
  for (const std::vector<float>& part : parts)
    out.scale.push_back(static_cast<float>(best(points_of(part), out.how.low, out.how.high)));
  fill_empty(out.scale, parts);
  return out;
}

Quantizer activation_quantizer(const std::vector<std::string>& group, const Statistics& statistics,
                               const std::string& quantizer, int bits, const Engine& engine) {
  std::vector<const ActivationHistogram*> seen;
  for (const std::string& value : group) seen.push_back(&statistics.of(value));
  const bool positive = std::all_of(seen.begin(), seen.end(), [](const auto* one) { return one->min() >= 0; });
  const std::vector<Point> points = points_of(seen);
  Quantizer out;
  out.bits = bits;
  out.how.activation = true;
  out.how.high = (std::int64_t{1} << bits) - 1;
  const bool centred = engine.scheme == "symmetric";
  if (quantizer == "lsq+" || (!positive && quantizer != "lsq" && !centred)) {
    const EvenGrid grid = best_grid(points, out.how.high);
    out.scale = {static_cast<float>(grid.step)};
    out.offset = static_cast<float>(grid.start);
    return out;
  }
  if (!positive || (centred && !engine.unsigned_where_positive)) {
    out.is_signed = centred;
    out.how.low = -(std::int64_t{1} << (bits - 1));
    out.how.high = -out.how.low - 1;
  }
  const double step = best_step(points, out.how.low, out.how.high);
  const bool pact = quantizer == "pact" && positive;
  if (pact) out.how.scheme = FakeScheme::kPact;
  out.scale = {static_cast<float>(pact ? step * static_cast<double>(out.how.high) : step)};
  return out;
}

/// Of matrices: the input channels that share a step.
std::int64_t group_of(const Tensor& weight, const json& options) {
  return weight.rank() == 2 ? options.at("weights").at("group_size").get<std::int64_t>() : 0;
}

Quantizer layer_quantizer(const Tensor& weight, int output_axis, const WeightChoice& choice, const json& options) {
  const std::int64_t group = group_of(weight, options);
  if (group == 0)
    return weight_quantizer(weight, output_axis, choice, options.at("weights").at("granularity") == "channel");
  Quantizer out = weight_quantizer(Grouping{weight.dims(), output_axis, group}.gathered(weight), 0, choice, true);
  out.group = group;
  return out;
}

/// Names of the layers nearest to the inputs and outputs.
std::set<ir::NodeId> edge_layers(const ir::Graph& graph) {
  return select_nodes(graph, find_layers(graph), {}, {"first", "last"}, "quantize.edge_bits");
}

bool feeds_any(const ir::Graph& graph, const std::vector<std::string>& group, const std::set<ir::NodeId>& nodes) {
  return std::any_of(group.begin(), group.end(), [&](const std::string& value) {
    const auto& consumers = graph.value(graph.find_value(value)).consumers;
    return std::any_of(consumers.begin(), consumers.end(), [&](ir::NodeId id) { return nodes.count(id) > 0; });
  });
}

}  // namespace

std::vector<Option> quantizer_options() {
  using enum OptionType;
  return {
      {"weights",
       kGroup,
       "{}",
       "how weights are rounded",
       {},
       {},
       {},
       {{"bits", kInt, "null", "of a weight; 4 if not given, 1 for binary, 2 for ternary", {}, 1, 8},
        {"quantizer",
         kString,
         "\"auto\"",
         "lsq: the step is learned (Esser et al. 2020); dorefa: after tanh (Zhou et al. 2016); binary: sign and mean "
         "(XNOR-Net, Rastegari et al. 2016); ternary: by a threshold (TWN, Li et al. 2016); auto: binary for 1 bit, "
         "else "
         "lsq",
         {"auto", "lsq", "dorefa", "binary", "ternary"}},
        {"granularity",
         kString,
         "\"channel\"",
         "a scale for each output channel, or for the tensor",
         {"channel", "tensor"}},
        {"group_size", kInt, "0",
         "input channels of a matrix that share a scale, with activations in float; 0: all of an output channel", {}, 0,
         1e6},
        {"scales", kString, "\"free\"",
         "free: learned; power-of-two: those of least squared error when it starts, which stay while the weights learn (fixed "
         "point)",
         {"free", "power-of-two"}}}},
      {"activations",
       kGroup,
       "{}",
       "how activations are rounded",
       {},
       {},
       {},
       {{"bits", kInt, "8", "of an activation", {}, 2, 8},
        {"quantizer",
         kString,
         "\"auto\"",
         "lsq: the step is learned; lsq+: the offset too (Bhalgat et al. 2020); pact: the clipping point is learned "
         "and "
         "decays (Choi et al. 2018), of values that are never negative; auto: lsq+ for values of both signs, else lsq; none: activations stay float, only "
         "weights are rounded",
         {"auto", "lsq", "lsq+", "pact", "none"}},
        {"decay", kFloat, "null", "of the clipping points of pact; as weight_decay if not given", {}, 0, 10},
        {"samples", kInt, "512", "training samples by which scales start; 0: all", {}, 0, 1e12}}},
      {"edge_bits", kInt, "8", "of weights and inputs of the first and the last layers; 0: as the others", {}, 0, 8},
      target_engine_option(),
      format_option(),
  };
}

bool rounds_weights_only(const json& options) { return options.at("activations").at("quantizer") == "none"; }

Placement quantizer_placement(const ir::Model& model, const json& options) {
  if (!rounds_weights_only(options)) return place_integers(model.graph, options, "quantize");
  std::set<ir::NodeId> excluded;
  return place_layers(model.graph, options, {}, excluded, "quantize");
}

void validate_quantizers(const ir::Model& model, const json& options) {
  weight_choice(options.at("weights"));
  const auto group = options.at("weights").at("group_size").get<std::int64_t>();
  if (group > 0 && !rounds_weights_only(options))
    throw Error(ErrorCode::kUsage, "quantize.weights.group_size",
                "integer products have one scale for each output; groups go with activations in float",
                "activations.quantizer none", options.at("activations").at("quantizer").get<std::string>());
  if (group > 0 && options.at("weights").at("granularity") == "tensor")
    throw Error(ErrorCode::kUsage, "quantize.weights.group_size", "does not go with the granularity tensor", "channel",
                "tensor");
  for (const Layer& layer : quantizer_placement(model, options).layers)
    if (group_of(*model.graph.constant(layer.weight.value), options) > 0) require_group_divides(layer, group);
  if (options.at("edge_bits") == 1)
    throw Error(ErrorCode::kUsage, "quantize.edge_bits", "activations take 2 bits or more", "0 or 2 to 8", "1");
  json stored = options;  // the checks ask for 4-bit integers by `bits`
  const WeightChoice inner = weight_choice(options.at("weights"));
  const bool four = (inner.scheme == FakeScheme::kLsq && inner.bits == 4) || options.at("edge_bits") == 4;
  stored["weights"]["bits"] = four ? 4 : 8;
  engine_of(options).check(stored);
  require_qoperators(stored);
}

StatisticsRequest quantizer_request(const ir::Model& model, const json& options) {
  StatisticsRequest request{.kind = "histogram", .samples = options.at("activations").at("samples")};
  for (const auto& group : quantizer_placement(model, options).groups)
    request.values.insert(request.values.end(), group.begin(), group.end());
  return request;
}

QatPlan plan_quantizers(const ir::Model& model, const Statistics& statistics, const json& options) {
  QatPlan plan;
  plan.placement = quantizer_placement(model, options);
  const int edge_bits = options.at("edge_bits");
  const std::set<ir::NodeId> edges = edge_bits > 0 ? edge_layers(model.graph) : std::set<ir::NodeId>();
  const WeightChoice inner = weight_choice(options.at("weights")), edge = edge_choice(options);
  const Engine& engine = engine_of(options);
  plan.integer_bias = engine.integer_bias;
  plan.bytes = !packs_weights(options);
  for (const Layer& layer : plan.placement.layers) {
    if (plan.weights.count(layer.weight_name)) continue;  // shared
    plan.weights[layer.weight_name] =
        layer_quantizer(*model.graph.constant(layer.weight.value), layer.weight.output_axis,
                        edges.count(layer.node) ? edge : inner, options);
  }
  const json& activations = options.at("activations");
  for (const auto& group : plan.placement.groups) {
    const bool at_edge = feeds_any(model.graph, group, edges);
    plan.activations.push_back(activation_quantizer(group, statistics,
                                                    at_edge ? "auto" : activations.at("quantizer").get<std::string>(),
                                                    at_edge ? edge_bits : activations.at("bits").get<int>(), engine));
  }
  return plan;
}

std::int64_t opset_of_quantizers(const json& options) {
  const bool edges = options.at("edge_bits") > 0 && edge_choice(options).packs();
  const bool packed = packs_weights(options) && (edges || weight_choice(options.at("weights")).packs());
  return packed || options.at("weights").at("group_size") > 0 ? 21 : 13;
}

}  // namespace pare::compress
