#include "compress/quantize/probe.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/float16.h"
#include "base/threads.h"
#include "compress/finite.h"
#include "compress/statistics.h"
#include "data/padding.h"
#include "ir/judged.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

exec::CompileOptions compile_options(const StepContext& context) {
  return {.threads = resolve_threads(context.execution.threads), .max_memory = context.execution.max_memory};
}

std::vector<Probe::Batch> batches_of(const ir::Model& model, const data::Split& split, std::int64_t samples,
                                     const StepContext& context, std::int64_t& taken) {
  const std::vector<std::int64_t> indices = calibration_indices(split.size(), samples, context.execution.seed);
  const auto size = static_cast<std::size_t>(forward_batch(model, 8));
  const std::int64_t fixed = fixed_batch(model);
  std::vector<Probe::Batch> batches;
  for (std::size_t done = 0; done < indices.size(); done += size) {
    const std::size_t end = std::min(indices.size(), done + size);
    const auto rows = static_cast<std::int64_t>(end - done);
    NamedTensors inputs = split
                              .batch({indices.begin() + static_cast<std::ptrdiff_t>(done),
                                      indices.begin() + static_cast<std::ptrdiff_t>(end)})
                              .inputs;
    if (fixed > 1) data::fill_up(inputs, rows, fixed);
    batches.push_back({std::move(inputs), rows, std::max(rows, fixed)});
    taken += rows;
  }
  return batches;
}

const data::Split& deciding_split(const StepContext& context) {
  return context.dataset.val && context.dataset.val->size() > 0 ? *context.dataset.val : *context.dataset.train;
}

/// The output of that name, or all of floats; of those whose size may depend on the data only where there are no
/// others.
std::vector<ir::ValueId> judged_outputs(const ir::Graph& graph, const std::string& chosen) {
  if (!chosen.empty()) return {ir::judged_output(graph, chosen)};
  std::vector<ir::ValueId> all = ir::judgeable_outputs(graph), fixed;
  for (const ir::ValueId id : all) {
    const ir::Shape& shape = graph.value(id).shape;
    if (shape.ranked() && std::ranges::none_of(shape.dims(), [](const ir::Dim& dim) { return dim.is_unknown(); }))
      fixed.push_back(id);
  }
  return fixed.empty() ? all : fixed;
}

Tensor as_float32(const Tensor& tensor) {
  if (tensor.dtype() == DType::kFloat32) return tensor;
  Tensor out(DType::kFloat32, tensor.dims());
  auto values = out.mutable_data<float>();
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(element_as_double(tensor, static_cast<std::int64_t>(i)));
  return out;
}

/// Σx² of what is finite.
double power_of(const Tensor& tensor) {
  double sum = 0;
  for (const float x : tensor.data<float>())
    if (std::isfinite(x)) sum += static_cast<double>(x) * static_cast<double>(x);
  return sum;
}

struct Channels {
  std::int64_t axis;
  InputChannels seen = {};
  double count = 0;
};

/// Adds each channel's values to the sums that `mean` and `power` hold meanwhile; the channel lies on `axis`.
void add_channels(const Tensor& tensor, Channels& channels) {
  const std::int64_t axis = channels.axis < 0 ? tensor.rank() - 1 : channels.axis;
  const auto size = static_cast<std::size_t>(tensor.dim(axis));
  std::size_t inner = 1;
  for (std::int64_t i = axis + 1; i < tensor.rank(); ++i) inner *= static_cast<std::size_t>(tensor.dim(i));
  auto values = tensor.data<float>();
  channels.seen.mean.resize(size, 0);
  channels.seen.power.resize(size, 0);
  channels.seen.magnitude.resize(size, 0);
  channels.seen.largest.resize(size, 0);
  for (std::size_t start = 0, c = 0; start < values.size(); start += inner, c = c + 1 == size ? 0 : c + 1) {
    double sum = 0, squares = 0, magnitudes = 0;
    float largest = 0;
    for (std::size_t i = 0; i < inner; ++i) {
      const auto x = static_cast<double>(values[start + i]);
      sum += x;
      squares += x * x;
      magnitudes += std::fabs(x);
      largest = std::max(largest, std::fabs(values[start + i]));
    }
    channels.seen.mean[c] += sum;
    channels.seen.power[c] += squares;
    channels.seen.magnitude[c] += magnitudes;
    channels.seen.largest[c] = std::max(channels.seen.largest[c], static_cast<double>(largest));
  }
  channels.count += static_cast<double>(values.size()) / static_cast<double>(size);
}

}  // namespace

double decibels(double noise) { return noise <= 1e-20 ? 200 : -10 * std::log10(noise); }

Probe::Probe(const ir::Model& model, std::int64_t samples, const StepContext& context) : context_(context) {
  for (const ir::ValueId id : judged_outputs(model.graph, context.dataset.output))
    outputs_.push_back({model.graph.value(id).name, {}});
  if (outputs_.empty()) {
    why_not_ = "the model has no output of floats";
    return;
  }
  batches_ = batches_of(model, deciding_split(context), samples, context, samples_);
  auto executor = context.backend.compile(model, compile_options(context));
  for (const Batch& batch : batches_) {
    const NamedTensors answers = executor->run(batch.inputs);
    for (Output& output : outputs_) {
      output.wanted.push_back(as_float32(batch.judged(answers.at(output.name))).clone());
      output.power += power_of(output.wanted.back());
    }
  }
  std::erase_if(outputs_, [](const Output& output) { return output.power == 0; });
  if (outputs_.empty()) why_not_ = "the model's outputs of floats are 0 or not finite on all samples";
}

std::vector<std::string> Probe::outputs() const {
  std::vector<std::string> names;
  for (const Output& output : outputs_) names.push_back(output.name);
  return names;
}

double Probe::noise(const Output& output, std::size_t batch, const Tensor& answer) const {
  const Tensor& reference = output.wanted[batch];
  const auto wanted = reference.data<float>(), got = answer.data<float>();
  if (wanted.size() != got.size()) return power_of(reference);
  double noise = 0;
  for (std::size_t k = 0; k < got.size(); ++k) {
    if (!std::isfinite(wanted[k])) continue;
    const double off = static_cast<double>(wanted[k]) - static_cast<double>(got[k]);
    noise += off * off;
  }
  return noise;
}

double Probe::noise(const ir::Model& model) const {
  context_.control.check_cancelled();
  auto executor = context_.backend.compile(model, compile_options(context_));
  double sum = 0;
  for (std::size_t i = 0; i < batches_.size(); ++i) {
    const NamedTensors answers = executor->run(batches_[i].inputs);
    for (const Output& output : outputs_)
      sum += noise(output, i, as_float32(batches_[i].judged(answers.at(output.name)))) / output.power;
  }
  return std::isfinite(sum) ? sum / static_cast<double>(outputs_.size()) : std::numeric_limits<double>::infinity();
}

std::map<std::string, InputChannels> value_channels(const ir::Model& model,
                                                    const std::map<std::string, std::int64_t>& values,
                                                    std::int64_t samples, const StepContext& context) {
  std::map<std::string, Channels> by_value;
  exec::CompileOptions options = compile_options(context);
  std::set<std::string> inputs;
  for (ir::ValueId id : model.graph.inputs) inputs.insert(model.graph.value(id).name);
  for (const auto& [value, axis] : values) {
    by_value.try_emplace(value, Channels{axis});
    if (!inputs.count(value)) options.observed.push_back(value);
  }
  auto see = [&](const std::string& value, const Tensor& tensor) {
    const auto found = by_value.find(value);
    if (found == by_value.end()) return;
    require_finite(model.graph, value, tensor);
    add_channels(tensor, found->second);
  };
  auto executor = context.backend.compile(model, options);
  std::int64_t taken = 0;
  for (const Probe::Batch& batch : batches_of(model, *context.dataset.train, samples, context, taken)) {
    context.control.check_cancelled();
    for (const auto& [name, tensor] : batch.inputs)
      if (inputs.count(name)) see(name, batch.judged(tensor));
    executor->observe(batch.inputs, [&](const std::string& value, const Tensor& tensor) {
      if (!inputs.count(value)) see(value, batch.judged(tensor));
    });
  }
  std::map<std::string, InputChannels> found;
  for (auto& [value, channels] : by_value) {
    for (auto* moments : {&channels.seen.mean, &channels.seen.power, &channels.seen.magnitude})
      for (double& moment : *moments) moment /= channels.count;
    found[value] = std::move(channels.seen);
  }
  return found;
}

std::map<std::string, InputChannels> input_channels(const ir::Model& model, const std::vector<Layer>& layers,
                                                    std::int64_t samples, const StepContext& context) {
  std::map<std::string, std::int64_t> axes;
  const auto value_of = [&](const Layer& layer) { return model.graph.value(model.graph.node(layer.node).input(0)).name; };
  for (const Layer& layer : layers) axes.try_emplace(value_of(layer), model.graph.node(layer.node).is("MatMul") ? -1 : 1);
  const auto by_value = value_channels(model, axes, samples, context);
  std::map<std::string, InputChannels> by_layer;
  for (const Layer& layer : layers) by_layer[layer.name] = by_value.at(value_of(layer));
  return by_layer;
}

}  // namespace pare::compress
