#include "compress/quantize/mixed_costs.h"

#include <algorithm>

#include "base/threads.h"
#include "compress/quantize/common.h"
#include "compress/statistics.h"
#include "eval/measure.h"

namespace pare::compress {
namespace {

using nlohmann::json;

/// Whose range is seen in any case; the choice among calibrators comes later.
Choice plain_choice() { return {&find_calibrator("min-max"), false, {}}; }

Tensor rounded(const ir::Model& model, const Layer& layer, int bits, const json& weights) {
  WeightSpec spec = weight_spec(weights);
  spec.bits = bits;
  const Tensor& weight = *model.graph.constant(layer.weight.value);
  const passes::QuantParams params = weight_params(weight, layer.weight.output_axis, spec);
  return passes::dequantize_tensor(passes::quantize_tensor(weight, params), params);
}

std::map<std::string, double> times_of(const ir::Model& model, const StepContext& context) {
  constexpr int kRepeats = 25;
  const auto shapes = measured_shapes(model, context.dataset);
  auto executor = context.backend.compile(model, {.threads = resolve_threads(context.execution.threads),
                                                  .max_memory = context.execution.max_memory});
  eval::ModelCost cost = eval::model_cost(model, shapes);
  eval::add_layer_latency(cost, *executor, eval::random_inputs(model, shapes, context.execution.seed), kRepeats);
  std::map<std::string, double> times;
  for (const eval::LayerCost& layer : cost.layers) times[layer.node] = std::max(layer.latency_ms, 0.0);
  return times;
}

}  // namespace

double rounding_noise(const ir::Model& model, const Layer& layer, int bits, const json& weights, const Probe& probe) {
  ir::Model changed = model;
  changed.graph.set_constant(layer.weight.value, rounded(model, layer, bits, weights));
  return probe.noise(changed);
}

double integer_noise(StaticWriter& writer, const Layer& layer, int bits, const Probe& probe) {
  writer.set_bits({{layer.weight_name, bits}});
  return probe.noise(writer.write_one(layer, plain_choice()));
}

double curvature_loss(const ir::Model& model, const Layer& layer, int bits, const json& weights, double trace) {
  const Tensor near = rounded(model, layer, bits, weights);
  const auto w = model.graph.constant(layer.weight.value)->data<float>(), q = near.data<float>();
  double squares = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double off = static_cast<double>(q[i]) - static_cast<double>(w[i]);
    squares += off * off;
  }
  return std::max(trace, 0.0) / static_cast<double>(w.size()) * squares;
}

std::map<int, std::map<std::string, double>> layer_times(const ir::Model& model, StaticWriter& writer,
                                                         const std::vector<int>& bits, const StepContext& context) {
  std::map<int, std::map<std::string, double>> times;
  times[kFloatBits] = times_of(model, context);
  for (const int width : bits) {
    std::map<std::string, int> all;
    for (const Layer& layer : writer.place({}).layers) all[layer.weight_name] = width;
    writer.set_bits(all);
    times[width] = times_of(writer.write(plain_choice()), context);
    context.control.check_cancelled();
  }
  writer.set_bits({});
  return times;
}

}  // namespace pare::compress
