// lowrank: a layer becomes two thinner ones by truncated singular value decomposition (Denton et al., Exploiting Linear
// Structure Within Convolutional Networks for Efficient Evaluation, 2014; for k×k convolutions split into k×k and 1×1
// as in Zhang et al., Accelerating Very Deep Convolutional Networks, 2016). A layer stays whole where the factors are
// not smaller or, measured on the backend with the layer's own shapes, not faster.
#include <algorithm>
#include <cmath>

#include "base/threads.h"
#include "compress/lowrank/factorize.h"
#include "compress/method.h"
#include "compress/statistics.h"
#include "eval/measure.h"
#include "eval/turns.h"
#include "ir/infer.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::span<const Option> options() {
  using enum OptionType;
  static const std::vector<Option> table = [] {
    std::vector<Option> list = {
        {"energy",
         kFloat,
         "null",
         "share of the sum of squared singular values kept (null: 0.95 when neither ratio nor rank is given)",
         {},
         1e-6,
         1},
        {"ratio", kFloat, "null", "instead of energy: rank as a share of the full rank", {}, 1e-6, 1},
        {"rank", kInt, "null", "instead of energy: the rank itself", {}, 1, 1e9},
        {"measure", kBool, "true", "keep factors only where they are measured to be faster, not only smaller"},
        {"keep_zeros", kBool, "true", "leave layers alone of which a tenth and more is zero, as the factors are dense"},
    };
    for (Option option : target_options()) list.push_back(option);
    return list;
  }();
  return table;
}

bool needs_gradients(const json&) { return false; }
std::vector<StatisticsRequest> needs(const ir::Model&, const json&) { return {}; }

void validate(const ir::Model& model, const StepContext& context) {
  std::string given;
  for (const char* key : {"energy", "ratio", "rank"}) {
    if (context.options.at(key).is_null()) continue;
    if (!given.empty())
      throw Error(ErrorCode::kUsage, std::string("lowrank.") + key, "cannot be combined with " + given,
                  "one of energy, ratio and rank");
    given = key;
  }
  target_layers(model.graph, context.options, "lowrank");
}

/// Rank that the options ask for; `svd` may be null unless it is by energy.
std::int64_t rank_for(const json& options, std::int64_t full, const Svd* svd) {
  if (!options.at("rank").is_null()) return std::min<std::int64_t>(full, options.at("rank").get<std::int64_t>());
  if (!options.at("ratio").is_null())
    return std::clamp<std::int64_t>(std::llround(options.at("ratio").get<double>() * static_cast<double>(full)), 1,
                                    full);
  const double wanted = options.at("energy").is_null() ? 0.95 : options.at("energy").get<double>();
  double total = 0, sum = 0;
  for (float s : svd->s) total += static_cast<double>(s) * static_cast<double>(s);
  for (std::int64_t rank = 1; rank <= full; ++rank) {
    const auto s = static_cast<double>(svd->s[static_cast<std::size_t>(rank - 1)]);
    sum += s * s;
    if (sum >= wanted * total) return rank;
  }
  return full;
}

double energy_of(const Svd& svd, std::int64_t rank) {
  double total = 0, kept = 0;
  for (std::size_t i = 0; i < svd.s.size(); ++i) {
    const double square = static_cast<double>(svd.s[i]) * static_cast<double>(svd.s[i]);
    total += square;
    if (static_cast<std::int64_t>(i) < rank) kept += square;
  }
  return total == 0 ? 1 : kept / total;
}

/// The layer alone, as a model with inputs of the given shape.
ir::Model alone(const ir::Model& model, const Layer& layer, const Dims& dims) {
  ir::Model out;
  out.opsets = model.opsets;
  out.ir_version = model.ir_version;
  ir::Node node = model.graph.node(layer.node);
  for (std::size_t slot = 0; slot < node.inputs.size(); ++slot) {
    if (node.inputs[slot] == ir::kNoValue) continue;
    const ir::Value& value = model.graph.value(node.inputs[slot]);
    node.inputs[slot] = slot == 0 ? out.graph.add_input(value.name, DType::kFloat32, ir::Shape::of(dims))
                                  : out.graph.add_initializer(value.name, *value.constant);
  }
  node.outputs = {out.graph.add_value(model.graph.value(node.output(0)).name)};
  out.graph.outputs = node.outputs;
  out.graph.add_node(std::move(node));
  ir::infer_shapes(out);
  return out;
}

struct Timing {
  double whole_ms, factors_ms;
};

/// Both ways in turns, so that what disturbs the machine hits both alike; of a turn the least time, of the turns the
/// median.
Timing race(const ir::Model& whole, const ir::Model& factors, const StepContext& context) {
  constexpr int kTurns = 5;
  const exec::CompileOptions compile{.threads = resolve_threads(context.execution.threads),
                                     .max_memory = context.execution.max_memory};
  const auto shapes = ir::input_shapes_for(whole, 1);
  const NamedTensors inputs = eval::random_inputs(whole, shapes, context.execution.seed);
  auto first = context.backend.compile(whole, compile), second = context.backend.compile(factors, compile);
  std::vector<double> a, b;
  for (int turn = 0; turn < kTurns; ++turn) {
    const eval::LatencyOptions brief{.warmup = turn == 0 ? 3 : 1, .min_runs = 5, .max_runs = 500, .seconds = 0.02};
    a.push_back(eval::measure_latency(*first, inputs, brief).min_ms);
    b.push_back(eval::measure_latency(*second, inputs, brief).min_ms);
  }
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  return {a[kTurns / 2], b[kTurns / 2]};
}

class Step {
 public:
  Step(ir::Model& model, StepContext& context)
      : model_(model), context_(context), facts_(ir::infer_for(model, measured_shapes(model, context.dataset))) {}

  void run() {
    json layers = json::array();
    int factorized = 0;
    const std::vector<Layer> targets = target_layers(model_.graph, context_.options, "lowrank");
    for (std::size_t i = 0; i < targets.size(); ++i) {
      context_.control.check_cancelled();
      json entry = {{"node", targets[i].name}, {"op_type", targets[i].op_type}, {"weight", targets[i].weight_name}};
      const std::string reason = decide(targets[i], entry);
      entry["factorized"] = reason.empty();
      entry["reason"] = reason.empty() ? json(nullptr) : json(reason);
      factorized += reason.empty();
      layers.push_back(std::move(entry));
      context_.control.report(
          {"lowrank", static_cast<std::int64_t>(i + 1), static_cast<std::int64_t>(targets.size()), "layers", {}, -1});
    }
    context_.record["lowrank"] = {{"factorized", factorized}, {"layers", layers}};
    if (factorized == 0) context_.record["notes"].push_back("no layer was factorized; the record says why for each");
  }

 private:
  /// Factorizes the layer, or returns why it stays whole.
  std::string decide(const Layer& layer, json& entry) {
    std::string reason = why_whole(model_.graph, layer);
    if (!reason.empty()) return reason;
    const ir::WeightView& view = layer.weight.view;
    const std::int64_t columns = view.inputs * view.taps, full = std::min(view.outputs, columns);
    entry["full_rank"] = full;
    if (context_.options.at("keep_zeros").get<bool>() &&
        ir::sparsity(*model_.graph.constant(layer.weight.value)) >= 0.1)
      return "a tenth and more of its weight is zero (keep_zeros: false factorizes it)";
    const bool by_energy = context_.options.at("rank").is_null() && context_.options.at("ratio").is_null();
    if (!by_energy && !is_smaller(view, rank_for(context_.options, full, nullptr)))
      return not_smaller(rank_for(context_.options, full, nullptr), entry);
    const Svd svd = singular_values(weight_matrix(model_.graph, layer), view.outputs, columns);
    const std::int64_t rank = rank_for(context_.options, full, &svd);
    entry["energy"] = energy_of(svd, rank);
    if (!is_smaller(view, rank)) return not_smaller(rank, entry);
    entry["rank"] = rank;
    if (context_.options.at("measure").get<bool>() && !(reason = slower(layer, svd, rank, entry)).empty())
      return reason;
    factorize(model_.graph, layer, svd, rank);
    return "";
  }

  std::string not_smaller(std::int64_t rank, json& entry) {
    entry["rank"] = rank;
    return "two factors of rank " + std::to_string(rank) + " are no smaller than the layer";
  }

  std::string slower(const Layer& layer, const Svd& svd, std::int64_t rank, json& entry) {
    const auto dims = facts_.at(static_cast<std::size_t>(model_.graph.node(layer.node).input(0))).shape.static_dims();
    if (!dims) return "the shape of its input depends on data, so the gain cannot be measured (measure: false)";
    const ir::Node& node = model_.graph.node(layer.node);
    for (std::size_t slot = 2; slot < node.inputs.size(); ++slot)
      if (node.inputs[slot] != ir::kNoValue && !model_.graph.constant(node.inputs[slot]))
        return "its bias is not constant, so the gain cannot be measured (measure: false)";
    const ir::Model whole = alone(model_, layer, *dims);
    ir::Model factors = whole;
    const Layer copy = find_layers(factors.graph).at(0);
    factorize(factors.graph, copy, svd, rank);
    ir::infer_shapes(factors);
    const Timing timing = race(whole, factors, context_);
    entry["whole_ms"] = timing.whole_ms;
    entry["factors_ms"] = timing.factors_ms;
    constexpr double kWorthwhile = 0.98;
    if (timing.factors_ms < kWorthwhile * timing.whole_ms) return "";
    return "measured: two factors of rank " + std::to_string(rank) + " are no faster than the layer";
  }

  ir::Model& model_;
  StepContext& context_;
  std::vector<ir::ValueFacts> facts_;
};

void apply(ir::Model& model, const Statistics&, StepContext& context) { Step(model, context).run(); }

std::vector<std::string> target_names(const ir::Model& model, const json& options) {
  std::vector<std::string> names;
  for (const Layer& layer : target_layers(model.graph, options, "lowrank"))
    if (why_whole(model.graph, layer).empty()) names.push_back(layer.name);
  return names;
}

}  // namespace

const Method& low_rank() {
  static const Method method = {"lowrank",
                                "svd",
                                "layers as two thinner ones, where that is smaller and faster",
                                "Denton et al., Exploiting Linear Structure Within Convolutional Networks for "
                                "Efficient Evaluation, 2014",
                                options,
                                needs_gradients,
                                needs,
                                validate,
                                apply,
                                true,
                                false,
                                target_names};
  return method;
}

}  // namespace pare::compress
