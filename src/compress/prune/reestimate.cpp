#include "compress/prune/reestimate.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/threads.h"
#include "compress/finite.h"
#include "compress/layerwise/hessian.h"
#include "compress/layerwise/layer_bias.h"
#include "compress/prune/samples.h"
#include "compress/targets.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

/// Sums over samples and positions, by channel.
struct Moments {
  double count = 0;
  std::vector<double> sum, squares;

  double mean(std::size_t c) const { return sum[c] / count; }
  double deviation(std::size_t c) const {
    return std::sqrt(std::max(0.0, squares[c] / count - mean(c) * mean(c)));
  }
  /// `last`: channels are the last axis, otherwise the second.
  void add(const Tensor& value, bool last) {
    const std::int64_t channels = value.dim(last ? value.rank() - 1 : 1);
    const std::int64_t outer = last ? value.numel() / channels : value.dim(0), inner = value.numel() / outer / channels;
    sum.resize(static_cast<std::size_t>(channels));
    squares.resize(static_cast<std::size_t>(channels));
    const auto values = value.data<float>();
    for (std::int64_t i = 0, at = 0; i < outer; ++i)
      for (std::int64_t c = 0; c < channels; ++c) {
        double s = 0, q = 0;
        for (std::int64_t p = 0; p < inner; ++p, ++at) {
          const double x = static_cast<double>(values[static_cast<std::size_t>(at)]);
          s += x;
          q += x * x;
        }
        sum[static_cast<std::size_t>(c)] += s;
        squares[static_cast<std::size_t>(c)] += q;
      }
    count += static_cast<double>(outer * inner);
  }
};

/// By the name of a value: whether its channels are its last axis.
using Values = std::map<std::string, bool>;

std::map<std::string, Moments> moments_of(const ir::Model& model, const Values& values, const StepContext& context) {
  exec::CompileOptions options{.threads = resolve_threads(context.execution.threads),
                               .max_memory = context.execution.max_memory};
  for (const auto& [name, last] : values) options.observed.push_back(name);
  const auto executor = context.backend.compile(up_to(model, options.observed), options);
  std::map<std::string, Moments> moments;
  visit_samples(model, context.options.at("reestimate").at("samples"), 16, context, "statistics",
                [&](const data::Batch& batch) {
                  executor->observe(batch.inputs, [&](const std::string& name, const Tensor& tensor) {
                    require_finite(model.graph, name, tensor);
                    moments[name].add(tensor, values.at(name));
                  });
                });
  return moments;
}

void scale_outputs(ir::Graph& graph, const Layer& layer, const std::vector<double>& scale) {
  Tensor weight = graph.constant(layer.weight.value)->clone();
  auto values = weight.mutable_data<float>();
  const ir::WeightView& view = layer.weight.view;
  for (std::int64_t o = 0; o < view.outputs; ++o)
    for (std::int64_t t = 0; t < view.taps; ++t)
      for (std::int64_t i = 0; i < view.inputs; ++i)
        values[static_cast<std::size_t>(view.index(o, t, i))] *= static_cast<float>(scale[static_cast<std::size_t>(o)]);
  const std::optional<Tensor> mask = graph.value(layer.weight.value).mask;
  graph.set_constant(layer.weight.value, std::move(weight));
  graph.value(layer.weight.value).mask = mask;
}

/// Corrects one layer; returns its entry of the record.
json correct(ir::Graph& graph, const Layer& layer, const BiasSlot& slot, const Moments& was, const Moments& is,
             bool variance) {
  constexpr double kMost = 10;  // an output that is nearly constant now must not drown in its noise
  std::vector<double> scale, shift(was.sum.size());
  double off = 0;
  for (std::size_t o = 0; o < shift.size(); ++o) {
    const double now = is.deviation(o);
    const double factor = variance && now > 0 ? std::clamp(was.deviation(o) / now, 1 / kMost, kMost) : 1;
    if (variance) scale.push_back(factor);
    shift[o] = was.mean(o) - factor * is.mean(o);
    off += std::fabs(was.mean(o) - is.mean(o)) / static_cast<double>(shift.size());
  }
  if (variance) scale_outputs(graph, layer, scale);
  change_bias(graph, layer, slot, scale, shift);
  return {{"layer", layer.name}, {"mean_error_before", off}, {"reason", nullptr}};
}

}  // namespace

std::vector<Option> reestimate_options() {
  using enum OptionType;
  return {{"reestimate",
           kGroup,
           "null",
           "bring what each layer's outputs are on average back to the original's, as BatchNorm would, without labels",
           {},
           {},
           {},
           {{"match",
             kString,
             "\"variance\"",
             "their mean, by the bias, or mean and variance, by the scale of the weights too",
             {"mean", "variance"}},
            {"samples", kInt, "512", "training samples that they are measured on; 0: all", {}, 0, 1e9}}}};
}

std::vector<std::string> weights_of(const std::vector<PruneTarget>& targets) {
  std::vector<std::string> names;
  for (const PruneTarget& target : targets) names.push_back(target.name);
  return names;
}

void require_reestimation_data(const StepContext& context) {
  if (!context.options.at("reestimate").is_null() && (!context.dataset.train || context.dataset.train->size() == 0))
    throw Error(ErrorCode::kUsage, "prune.reestimate", "needs a train split in the data file");
}

void reestimate(const ir::Model& original, ir::Model& model, const std::vector<std::string>& weights,
                StepContext& context) {
  const json& options = context.options.at("reestimate");
  if (options.is_null()) return;
  const std::string match = options.at("match");
  std::vector<std::pair<Layer, BiasSlot>> corrected;
  json entries = json::array();
  Values values;
  for (const Layer& layer : find_layers(model.graph)) {
    if (std::find(weights.begin(), weights.end(), layer.weight_name) == weights.end()) continue;
    const BiasSlot slot = bias_slot(model.graph, layer);
    std::string why = why_no_bias(model.graph, layer, slot);
    if (model.graph.value(layer.weight.value).consumers.size() > 1) why = "its weight is shared with another node";
    if (!why.empty()) {
      entries.push_back({{"layer", layer.name}, {"mean_error_before", nullptr}, {"reason", why}});
      continue;
    }
    values[model.graph.value(biased_output(model.graph, layer, slot)).name] = layer.op_type != "Conv";
    corrected.emplace_back(layer, slot);
  }
  for (const std::string& weight : weights)
    if (std::ranges::none_of(find_layers(model.graph), [&](const Layer& one) { return one.weight_name == weight; }))
      entries.push_back({{"layer", weight},
                         {"mean_error_before", nullptr},
                         {"reason", "it is no weight of a Conv, Gemm or MatMul"}});
  const std::map<std::string, Moments> before = moments_of(original, values, context);
  for (const auto& [layer, slot] : corrected) {
    const std::string value = model.graph.value(biased_output(model.graph, layer, slot)).name;
    const std::map<std::string, Moments> now = moments_of(model, {{value, values.at(value)}}, context);
    entries.push_back(correct(model.graph, layer, slot, before.at(value), now.at(value), match == "variance"));
  }
  context.record["reestimation"] = {{"match", match}, {"samples", options.at("samples")}, {"layers", entries}};
}

}  // namespace pare::compress
