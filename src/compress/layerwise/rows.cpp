#include "compress/layerwise/rows.h"

#include <algorithm>
#include <set>

#include "base/rng.h"
#include "base/threads.h"
#include "compress/finite.h"
#include "compress/layerwise/hessian.h"
#include "compress/layerwise/hidden.h"
#include "compress/layerwise/unfold.h"
#include "compress/prune/samples.h"

namespace pare::compress {
namespace {

constexpr std::int64_t kBatch = 8;

/// Adds `count` rows of what one batch gives.
struct Picker {
  const ir::Graph& graph;
  std::int64_t count;
  std::uint64_t seed, batch = 0;

  void add(const Layer& layer, const Tensor& x, LayerRows& to) const {
    const ir::Node& node = graph.node(layer.node);
    Rng rng(seed, kRngMethod, 2, batch);
    if (!node.is("Conv")) {
      const std::int64_t positions = x.numel() / to.columns;
      for (const std::int64_t at : picked(positions, rng)) {
        const auto from = x.data<float>().begin() + at * to.columns;
        to.x[0].insert(to.x[0].end(), from, from + to.columns);
        ++to.rows;
      }
      return;
    }
    const Unfolder unfolder(x, node, graph.constant(layer.weight.value)->dims());
    std::vector<float> row(static_cast<std::size_t>(to.columns));
    for (const std::int64_t at : picked(unfolder.positions(), rng)) {
      for (std::int64_t group = 0; group < to.groups; ++group) {
        unfolder.rows(group, at, 1, row);
        auto& rows = to.x[static_cast<std::size_t>(group)];
        rows.insert(rows.end(), row.begin(), row.end());
      }
      ++to.rows;
    }
  }

 private:
  std::vector<std::int64_t> picked(std::int64_t positions, Rng& rng) const {
    std::vector<std::int64_t> at;
    for (std::int64_t i = 0; i < std::min(count, positions); ++i)
      at.push_back(count >= positions ? i
                                      : static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(positions))));
    return at;
  }
};

}  // namespace

std::map<ir::NodeId, LayerRows> sample_rows(const ir::Model& model, const std::vector<Layer>& layers, std::int64_t samples,
                                            std::int64_t rows, const StepContext& context) {
  const ir::Graph& graph = model.graph;
  std::map<ir::NodeId, LayerRows> found;
  std::map<std::string, std::vector<const Layer*>> readers;
  for (const Layer& layer : layers) {
    if (!why_no_hessian(graph, layer).empty()) continue;
    const std::int64_t groups = graph.node(layer.node).is("Conv") ? graph.node(layer.node).int_or("group", 1) : 1;
    found[layer.node] = {0, layer.weight.view.taps * layer.weight.view.inputs, groups,
                         std::vector<std::vector<float>>(static_cast<std::size_t>(groups))};
    readers[graph.value(graph.node(layer.node).input(0)).name].push_back(&layer);
  }
  std::set<std::string> inputs;
  for (const ir::ValueId id : graph.inputs) inputs.insert(graph.value(id).name);
  exec::CompileOptions options{.threads = resolve_threads(context.execution.threads),
                               .max_memory = context.execution.max_memory};
  for (const auto& [value, unused] : readers)
    if (!inputs.count(value)) options.observed.push_back(value);
  const HiddenPositions hidden(model, context);
  const auto executor = context.backend.compile(up_to(model, options.observed), options);
  Picker picker{graph, std::max<std::int64_t>(1, rows * kBatch / std::max<std::int64_t>(samples, 1)), context.execution.seed};
  visit_samples(model, samples, kBatch, context, "rows", [&](const data::Batch& batch) {
    const auto see = [&](const std::string& value, const Tensor& tensor) {
      for (const Layer* layer : readers[value]) {
        const bool matrix = !graph.node(layer->node).is("Conv");
        const Tensor shown = matrix ? hidden.shown(tensor, batch.inputs) : tensor;
        require_finite(graph, value, shown);
        picker.add(*layer, shown, found.at(layer->node));
      }
    };
    for (const auto& [value, tensor] : batch.inputs)
      if (inputs.count(value)) see(value, tensor);
    executor->observe(batch.inputs, [&](const std::string& value, const Tensor& tensor) {
      if (!inputs.count(value)) see(value, tensor);
    });
    ++picker.batch;
  });
  return found;
}

}  // namespace pare::compress
