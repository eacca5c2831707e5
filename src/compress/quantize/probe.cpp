#include "compress/quantize/probe.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/threads.h"
#include "compress/statistics.h"
#include "data/padding.h"
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
  if (model.graph.outputs.empty()) return;
  const std::string output = model.graph.value(model.graph.outputs[0]).name;
  batches_ = batches_of(model, deciding_split(context), samples, context, samples_);
  auto executor = context.backend.compile(model, compile_options(context));
  for (const Batch& batch : batches_) {
    const Tensor answer = batch.judged(executor->run(batch.inputs).at(output));
    if (answer.dtype() != DType::kFloat32) return;
    for (float value : answer.data<float>()) signal_ += static_cast<double>(value) * static_cast<double>(value);
    reference_.push_back(answer.clone());
  }
  if (signal_ > 0 && std::isfinite(signal_)) output_ = output;
}

double Probe::noise(const ir::Model& model) const {
  context_.control.check_cancelled();
  auto executor = context_.backend.compile(model, compile_options(context_));
  double noise = 0;
  for (std::size_t i = 0; i < batches_.size(); ++i) {
    const Tensor answer = batches_[i].judged(executor->run(batches_[i].inputs).at(output_));
    const auto wanted = reference_[i].data<float>(), got = answer.data<float>();
    if (wanted.size() != got.size()) throw Error(ErrorCode::kInternal, output_, "quantization changed the output");
    for (std::size_t k = 0; k < got.size(); ++k) {
      const double off = static_cast<double>(wanted[k]) - static_cast<double>(got[k]);
      noise += off * off;
    }
  }
  return std::isfinite(noise) ? noise / signal_ : std::numeric_limits<double>::infinity();
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
    if (auto found = by_value.find(value); found != by_value.end()) add_channels(tensor, found->second);
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
