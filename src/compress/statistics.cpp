#include "compress/statistics.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "base/threads.h"
#include "compress/calibration_samples.h"
#include "compress/finite.h"
#include "data/padding.h"
#include "ir/infer.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

struct Wanted {
  std::set<std::string> values, with_bins;
  std::int64_t samples = 0;
};

Wanted merge_requests(const std::vector<StatisticsRequest>& requests, std::int64_t split_size) {
  Wanted wanted;
  for (const StatisticsRequest& request : requests) {
    if (request.kind != "range" && request.kind != "histogram")
      throw Error(ErrorCode::kInternal, request.kind, "unknown kind of statistics");
    wanted.values.insert(request.values.begin(), request.values.end());
    if (request.kind == "histogram") wanted.with_bins.insert(request.values.begin(), request.values.end());
    std::int64_t samples = request.samples > 0 ? request.samples : split_size;
    wanted.samples = std::max(wanted.samples, samples);
  }
  return wanted;
}

}  // namespace

const ActivationHistogram& Statistics::of(const std::string& value) const {
  auto found = values_.find(value);
  if (found == values_.end() || found->second.count() == 0)
    throw Error(ErrorCode::kInternal, value, "the value was not observed during calibration");
  return found->second;
}

std::vector<std::int64_t> calibration_indices(std::int64_t split_size, std::int64_t count, std::uint64_t seed) {
  std::vector<std::int64_t> indices = Rng(seed, kRngCalibration).permutation(split_size);
  if (count > 0 && count < split_size) indices.resize(static_cast<std::size_t>(count));
  std::sort(indices.begin(), indices.end());
  return indices;
}

std::int64_t fixed_batch(const ir::Model& model) {
  for (ir::ValueId input : model.graph.inputs) {
    const ir::Shape& shape = model.graph.value(input).shape;
    if (shape.ranked() && shape.rank() > 0 && shape[0].is_known()) return std::max<std::int64_t>(1, shape[0].value());
  }
  return 0;
}

std::int64_t forward_batch(const ir::Model& model, std::int64_t wanted) {
  constexpr std::int64_t kElements = 600'000;  // of all inputs of a batch: 4 images of 3x224x224, 32 of anything small
  if (const std::int64_t fixed = fixed_batch(model)) return fixed;
  std::int64_t elements = 1;
  for (ir::ValueId input : model.graph.inputs) {
    const ir::Shape& shape = model.graph.value(input).shape;
    std::int64_t size = 1;
    for (std::int64_t axis = 1; axis < shape.rank(); ++axis)
      size *= shape[axis].is_known() ? std::max<std::int64_t>(1, shape[axis].value()) : 1;
    elements = std::max(elements, size);
  }
  return std::clamp<std::int64_t>(kElements / elements, 1, wanted);
}

std::map<std::string, Dims> measured_shapes(const ir::Model& model, const data::Dataset& dataset) {
  for (const auto& split : {dataset.val, dataset.test, dataset.train}) {
    if (!split || split->size() == 0) continue;
    const bool open = std::any_of(model.graph.inputs.begin(), model.graph.inputs.end(), [&](ir::ValueId input) {
      const ir::Shape& shape = model.graph.value(input).shape;
      for (std::int64_t axis = 1; shape.ranked() && axis < shape.rank(); ++axis)
        if (!shape[axis].is_known()) return true;
      return !shape.ranked();
    });
    if (!open) break;
    std::map<std::string, Dims> shapes;
    for (const auto& [name, tensor] : split->batch({0}).inputs) shapes[name] = tensor.dims();
    return ir::input_shapes_for(model, 1, shapes);
  }
  return ir::input_shapes_for(model, 1);
}

std::vector<std::int64_t> samples_of(const std::vector<StatisticsRequest>& requests, const StepContext& context) {
  if (!context.dataset.train) throw Error(ErrorCode::kUsage, "data: train", "calibration needs a train split");
  const std::int64_t size = context.dataset.train->size();
  return calibration_indices(size, merge_requests(requests, size).samples, context.execution.seed);
}

Statistics gather_statistics(const ir::Model& model, const std::vector<StatisticsRequest>& requests,
                             const StepContext& context) {
  return requests.empty() ? Statistics() : gather_statistics(model, requests, context, samples_of(requests, context));
}

Statistics gather_statistics(const ir::Model& model, const std::vector<StatisticsRequest>& requests,
                             const StepContext& context, const std::vector<std::int64_t>& indices) {
  Statistics statistics;
  const data::Split& split = *context.dataset.train;
  const Wanted wanted = merge_requests(requests, split.size());
  exec::CompileOptions compile{.threads = resolve_threads(context.execution.threads),
                               .max_memory = context.execution.max_memory};
  std::set<std::string> inputs;
  for (ir::ValueId input : model.graph.inputs) inputs.insert(model.graph.value(input).name);
  for (const std::string& value : wanted.values)
    if (!inputs.count(value)) compile.observed.push_back(value);
  auto executor = context.backend.compile(model, compile);
  auto see = [&](const std::string& value, const Tensor& tensor) {
    if (!wanted.values.count(value)) return;
    if (!statistics.at(value).add(tensor.data<float>(), wanted.with_bins.count(value) > 0))
      throw not_finite(model.graph, value, tensor);
  };
  const auto batch_size = static_cast<std::size_t>(forward_batch(model, 32));
  const std::int64_t fixed = fixed_batch(model);
  std::size_t done = 0;
  for (; done < indices.size();) {
    context.control.check_cancelled();
    std::size_t end = std::min(indices.size(), done + batch_size);
    data::Batch batch = split.batch(
        {indices.begin() + static_cast<std::ptrdiff_t>(done), indices.begin() + static_cast<std::ptrdiff_t>(end)});
    const auto rows = static_cast<std::int64_t>(end - done);
    if (fixed > 1) data::fill_up(batch.inputs, rows, fixed);
    const auto counted = [&](const Tensor& tensor) { return data::first_rows(tensor, rows, std::max(rows, fixed)); };
    for (const auto& [name, tensor] : batch.inputs)
      if (wanted.values.count(name)) see(name, counted(tensor));
    executor->observe(batch.inputs, [&](const std::string& value, const Tensor& tensor) {
      if (!inputs.count(value)) see(value, counted(tensor));
    });
    done = end;
    context.control.report(
        {"calibrate", static_cast<std::int64_t>(done), static_cast<std::int64_t>(indices.size()), "samples", {}, -1});
  }
  if (done == 0) throw Error(ErrorCode::kBadInput, "data: train", "the split is empty", "at least one sample");
  statistics.set_samples(static_cast<std::int64_t>(done));
  return statistics;
}

}  // namespace pare::compress
