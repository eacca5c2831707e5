#include "pare/compare.h"

#include <algorithm>
#include <cmath>

#include "api/model_impl.h"
#include "api/quality.h"
#include "base/threads.h"
#include "data/loader.h"
#include "eval/compare.h"
#include "eval/measure.h"
#include "ir/infer.h"
#include "pare/error.h"
#include "runtime/runtime.h"

namespace pare {
namespace {

DifferenceInfo difference_of(const eval::Difference& from) {
  return {from.identical(), from.snr_db(), from.max_error(), from.mean_error(), from.cosine(),    from.min_a(),
          from.max_a(),     from.min_b(),  from.max_b(),     from.elements(),   from.mismatched()};
}

HistogramInfo histogram_of(const eval::ComparedLayer& from) {
  constexpr std::size_t kSteps = 48;
  const eval::Histogram &a = from.histogram_a, &b = from.histogram_b;
  HistogramInfo info;
  if (a.count() == 0 || b.count() == 0) return info;
  info.low = std::min(a.min(), b.min());
  info.high = std::max(a.max(), b.max());
  info.a = a.coarse(info.low, info.high, kSteps);
  info.b = b.coarse(info.low, info.high, kSteps);
  return info;
}

std::optional<InjectionInfo> injection_of(const std::optional<eval::InjectedError>& from) {
  if (!from) return std::nullopt;
  return InjectionInfo{from->layer.snr_db(), from->output.identical(), from->output.snr_db(), from->agreement};
}

LayerComparison layer_of(const eval::ComparedLayer& from) {
  return {from.a.node,     from.a.op_type,
          from.a.key,      from.b.node,
          from.b.observed, from.by_name ? "name" : "position",
          from.a.dims,     difference_of(from.difference),
          from.drop_db,    histogram_of(from),
          injection_of(from.injected)};
}

std::optional<std::size_t> most_sensitive(const std::vector<LayerComparison>& layers) {
  std::optional<std::size_t> worst;
  const auto snr = [&](std::size_t i) { return layers[i].injected->snr_db.value_or(INFINITY); };
  for (std::size_t i = 0; i < layers.size(); ++i)
    if (layers[i].injected && !layers[i].injected->harmless && (!worst || snr(i) < snr(*worst))) worst = i;
  return worst;
}

std::optional<std::size_t> worst_drop(const std::vector<LayerComparison>& layers) {
  std::optional<std::size_t> worst;
  for (std::size_t i = 0; i < layers.size(); ++i)
    if (layers[i].drop_db && (!worst || *layers[i].drop_db > *layers[*worst].drop_db)) worst = i;
  return worst;
}

Comparison comparison_of(const eval::CompareResult& from) {
  Comparison result;
  result.samples = from.samples;
  result.judged_output = from.judged;
  result.a = api::quality_of(from.a);
  result.b = api::quality_of(from.b);
  for (const eval::ComparedOutput& output : from.outputs)
    result.outputs.push_back({output.a, output.b, difference_of(output.difference)});
  for (const eval::ComparedLayer& layer : from.layers) result.layers.push_back(layer_of(layer));
  for (const eval::UncomparedLayer& layer : from.uncompared)
    result.uncompared.push_back(
        {layer.in_a ? "a" : "b", layer.layer.node, layer.layer.op_type, layer.layer.key, layer.reason});
  result.damage = worst_drop(result.layers);
  result.injection_samples = from.injection_samples;
  result.most_sensitive = most_sensitive(result.layers);
  return result;
}

std::string default_split(const Dataset& data) {
  for (const char* name : {"test", "val"})
    if (data.size(name) > 0) return name;
  return "train";
}

std::shared_ptr<const data::Split> limited(const std::shared_ptr<const data::Split>& split, std::int64_t limit) {
  if (limit <= 0 || limit >= split->size()) return split;
  std::vector<std::int64_t> indices(static_cast<std::size_t>(limit));
  for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<std::int64_t>(i);
  return split->subset(std::move(indices));
}

eval::BatchSource random_batches(const ir::Model& model, const CompareOptions& options) {
  const std::int64_t batch = api::batch_for(model, std::min(options.batch, options.random));
  return [&model, &options, batch, done = std::int64_t{0}]() mutable -> std::optional<data::Batch> {
    if (done >= options.random) return std::nullopt;
    const std::int64_t size = api::batch_for(model, std::min(batch, options.random - done));
    data::Batch made;
    const auto shapes = ir::input_shapes_for(model, size, options.shapes);
    made.inputs = eval::random_inputs(model, shapes, options.execution.seed + static_cast<std::uint64_t>(done));
    // A shape that was asked for fixes the batch as the model would.
    const std::int64_t rows = shapes.empty() || shapes.begin()->second.empty() ? size : shapes.begin()->second[0];
    for (std::int64_t i = 0; i < rows; ++i) made.indices.push_back(done + i);
    done += std::max<std::int64_t>(rows, 1);
    return made;
  };
}

}  // namespace

Comparison compare(const Model& a, const Model& b, const Dataset& data, const CompareOptions& options) {
  api::require_finite(a);
  api::require_finite(b);
  if (options.batch < 1 || options.random < 1)
    throw Error(ErrorCode::kUsage, "compare", "batch and number of random samples are at least 1");
  if (options.injection < 0) throw Error(ErrorCode::kUsage, "compare", "injection takes no negative number of samples");
  const ir::Model &model_a = a.impl().prepared(), &model_b = b.impl().prepared();
  eval::CompareOptions how;
  how.threads = resolve_threads(options.execution.threads);
  how.max_memory = options.execution.max_memory;
  how.float_qdq = options.float_qdq;
  how.injection = options.injection;
  const exec::Backend& backend = runtime::backend({.exact = options.exact});
  const ThreadScope threads(how.threads);
  if (data.empty()) {
    how.total = options.random;
    Comparison result =
        comparison_of(eval::compare(backend, model_a, model_b, random_batches(model_a, options), how, options.control));
    result.random = true;
    return result;
  }
  const std::string name = options.split.empty() ? default_split(data) : options.split;
  const auto split = limited(api::require_split(data, name), options.limit);
  if (split->size() == 0) throw Error(ErrorCode::kBadInput, "data", "the split is empty", "at least one sample");
  how.total = split->size();
  how.fixed_batch = api::batch_for(model_a, 0);
  how.output = data.impl().dataset.output;
  data::Loader loader(split, {.batch_size = api::batch_for(model_a, options.batch), .prefetch = 2});
  loader.start(0);
  Comparison result = comparison_of(eval::compare(
      backend, model_a, model_b, [&] { return loader.next(); }, how, options.control));
  result.split = name;
  return result;
}

}  // namespace pare
