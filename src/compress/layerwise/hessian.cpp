#include "compress/layerwise/hessian.h"

#include <algorithm>
#include <memory>

#include "base/threads.h"
#include "compress/finite.h"
#include "compress/layerwise/energy_sum.h"
#include "compress/layerwise/gram_sum.h"
#include "compress/layerwise/hidden.h"
#include "compress/layerwise/positions.h"
#include "compress/layerwise/unfold.h"
#include "compress/statistics.h"
#include "data/padding.h"

namespace pare::compress {
namespace {

using ir::Node;

std::int64_t groups_of(const Node& node) { return node.is("Conv") ? node.int_or("group", 1) : 1; }

/// What layers must share to see the same columns.
std::string key_of(const ir::Graph& graph, const Layer& layer) {
  const Node& node = graph.node(layer.node);
  std::string key = graph.value(node.input(0)).name;
  if (!node.is("Conv")) return key + "|matrix";
  key += "|" + std::to_string(groups_of(node)) + "|" + to_string(graph.constant(layer.weight.value)->dims());
  for (const char* attribute : {"strides", "pads", "dilations"})
    for (std::int64_t x : node.ints_or(attribute, {})) key += "," + std::to_string(x);
  return key + "," + node.string_or("auto_pad", "");
}

struct Gathered {
  const Layer* first = nullptr;
  std::vector<const Layer*> layers;
  bool diagonal = false;            ///< of the Hessian alone
  std::vector<double> hessian;      ///< [groups, columns, columns], or the diagonals [groups, columns]
  std::vector<GramSum> sums;        ///< one a group, over `hessian`
  std::vector<EnergySum> energies;  ///< in their place where the diagonal is enough
  std::vector<double> totals;       ///< Σ x, [groups, columns]
  std::int64_t rows = 0;
  std::int64_t samples = 0;  ///< of the pass
  EvenPart part;             ///< of a convolution's positions that counts
};

std::size_t size_of(const ir::Graph& graph, const Gathered& one) {
  const auto columns = static_cast<std::size_t>(one.first->weight.view.taps * one.first->weight.view.inputs);
  return static_cast<std::size_t>(groups_of(graph.node(one.first->node))) * columns * (one.diagonal ? 1 : columns);
}

void prepare(const ir::Graph& graph, Gathered& one) {
  one.hessian.assign(size_of(graph, one), 0.0);
  const std::int64_t columns = one.first->weight.view.taps * one.first->weight.view.inputs;
  const std::size_t groups = static_cast<std::size_t>(groups_of(graph.node(one.first->node)));
  const std::size_t part = one.hessian.size() / groups;
  for (std::size_t at = 0; at < one.hessian.size(); at += part) {
    const auto own = std::span(one.hessian).subspan(at, part);
    if (one.diagonal)
      one.energies.emplace_back(columns, own);
    else
      one.sums.emplace_back(columns, own);
  }
  one.totals.assign(groups * static_cast<std::size_t>(columns), 0.0);
}

/// Adds up the rows that were written.
void count_rows(std::span<const float> rows, std::span<double> totals) {
  for (std::size_t at = 0; at < rows.size(); at += totals.size())
    for (std::size_t j = 0; j < totals.size(); ++j) totals[j] += static_cast<double>(rows[at + j]);
}

/// Adds rows of one group to whichever sum is wanted.
void add_rows(Gathered& to, std::size_t group, std::int64_t count, const GramSum::Fill& fill) {
  if (to.diagonal)
    to.energies[group].add(count, fill);
  else
    to.sums[group].add(count, fill);
}

void add(const ir::Graph& graph, const Tensor& x, Gathered& to) {
  const Node& node = graph.node(to.first->node);
  const std::int64_t columns = to.first->weight.view.taps * to.first->weight.view.inputs;
  if (node.is("Conv")) {
    const Unfolder unfolder(x, node, graph.constant(to.first->weight.value)->dims());
    const std::vector<std::int64_t> positions = to.part.of(
        unfolder.positions(), positions_share(unfolder.positions() / x.dim(0) * to.samples, unfolder.columns()));
    const auto count = static_cast<std::int64_t>(positions.size());
    to.rows += count;
    for (std::size_t group = 0; group < std::max(to.sums.size(), to.energies.size()); ++group) {
      const auto totals = std::span(to.totals).subspan(group * static_cast<std::size_t>(columns),
                                                       static_cast<std::size_t>(columns));
      add_rows(to, group, count, [&](std::int64_t first, std::int64_t some, std::span<float> out) {
        unfolder.rows(static_cast<std::int64_t>(group),
                      std::span(positions).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(some)), out);
        count_rows(out, totals);
      });
    }
    return;
  }
  to.rows += x.numel() / columns;
  const auto values = x.data<float>();
  add_rows(to, 0, x.numel() / columns, [&](std::int64_t first, std::int64_t count, std::span<float> out) {
    std::copy_n(values.begin() + first * columns, count * columns, out.begin());
    count_rows(out, to.totals);
  });
}

void finish(Gathered& one) {
  for (GramSum& sum : one.sums) sum.finish();
  for (EnergySum& sum : one.energies) sum.finish();
  one.sums.clear();
  one.energies.clear();
}

/// One pass over the samples.
void gather(const ir::Model& model, std::span<Gathered> wanted, std::int64_t samples, const StepContext& context) {
  const data::Split& split = *context.dataset.train;
  std::map<std::string, std::vector<Gathered*>> by_value;
  std::set<std::string> inputs;
  for (ir::ValueId id : model.graph.inputs) inputs.insert(model.graph.value(id).name);
  for (Gathered& one : wanted) {
    prepare(model.graph, one);
    by_value[model.graph.value(model.graph.node(one.first->node).input(0)).name].push_back(&one);
  }
  exec::CompileOptions options{.threads = resolve_threads(context.execution.threads),
                               .max_memory = context.execution.max_memory};
  for (const auto& [value, unused] : by_value)
    if (!inputs.count(value)) options.observed.push_back(value);
  const HiddenPositions hidden(model, context);
  const auto see = [&](const std::string& value, const Tensor& tensor, const NamedTensors& batch) {
    if (const auto found = by_value.find(value); found != by_value.end())
      for (Gathered* one : found->second) {
        const Node& node = model.graph.node(one->first->node);
        const bool matrix = node.is("Gemm") || node.is("MatMul");
        const Tensor shown = matrix ? hidden.shown(tensor, batch) : tensor;
        require_finite(model.graph, value, shown);
        add(model.graph, shown, *one);
      }
  };
  auto executor = context.backend.compile(up_to(model, options.observed), options);
  const std::vector<std::int64_t> indices = calibration_indices(split.size(), samples, context.execution.seed);
  for (Gathered& one : wanted) one.samples = static_cast<std::int64_t>(indices.size());
  const auto batch = static_cast<std::size_t>(forward_batch(model, 8));
  const std::int64_t fixed = fixed_batch(model);
  for (std::size_t done = 0; done < indices.size(); done += batch) {
    context.control.check_cancelled();
    const auto from = indices.begin() + static_cast<std::ptrdiff_t>(done);
    const std::size_t count = std::min(batch, indices.size() - done);
    NamedTensors batch_inputs = split.batch({from, from + static_cast<std::ptrdiff_t>(count)}).inputs;
    if (fixed > 1) data::fill_up(batch_inputs, static_cast<std::int64_t>(count), fixed);
    for (const auto& [name, tensor] : batch_inputs)
      if (inputs.count(name)) see(name, tensor, batch_inputs);
    executor->observe(batch_inputs, [&](const std::string& value, const Tensor& tensor) {
      if (!inputs.count(value)) see(value, tensor, batch_inputs);
    });
  }
  for (Gathered& one : wanted) finish(one);
}

}  // namespace

ir::Model up_to(const ir::Model& model, const std::vector<std::string>& values) {
  ir::Model part = model;
  if (values.empty()) return part;
  part.graph.outputs.clear();
  for (const std::string& value : values) part.graph.outputs.push_back(part.graph.find_value(value));
  part.graph.erase_dead();
  return part;
}

std::string why_no_hessian(const ir::Graph& graph, const Layer& layer) {
  const Node& node = graph.node(layer.node);
  if (node.is("ConvTranspose")) return "the inputs of transposed convolutions are not unfolded";
  if ((node.is("LSTM") || node.is("GRU") || node.is("RNN")) && layer.weight.value != node.input(1))
    return "what recurrent weights see, the layer's own state, is not observed";
  if (!node.is("Conv")) return "";
  const std::int64_t axes = graph.constant(layer.weight.value)->rank() - 2;
  return axes <= 3 ? "" : "convolutions over " + std::to_string(axes) + " axes are not unfolded";
}

std::vector<std::vector<Layer>> runs_of(const ir::Graph& graph, const std::vector<Layer>& layers) {
  std::vector<std::vector<Layer>> runs;
  for (const Layer& layer : layers) {
    const ir::ValueId input = graph.node(layer.node).input(0);
    if (runs.empty() || graph.node(runs.back()[0].node).input(0) != input) runs.emplace_back();
    runs.back().push_back(layer);
  }
  return runs;
}

std::vector<double> damped_hessian(std::span<const double> hessian, std::size_t n, double damping) {
  double mean = 0;
  for (std::size_t i = 0; i < n; ++i) mean += hessian[i * n + i] / static_cast<double>(n);
  if (mean <= 0) mean = 1;
  std::vector<double> damped(hessian.begin(), hessian.end());
  for (std::size_t i = 0; i < n; ++i) {
    double& own = damped[i * n + i];
    own = (own == 0 ? mean : own) + damping * mean;
  }
  return damped;
}

std::vector<double> damped_inverse_factor(std::span<const double> hessian, std::size_t n, double& damping,
                                          std::span<const std::size_t> order) {
  for (;; damping *= 10) {
    std::vector<double> damped = damped_hessian(hessian, n, damping);
    if (!order.empty()) {
      const std::vector<double> unordered = std::move(damped);
      damped.resize(n * n);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) damped[i * n + j] = unordered[order[i] * n + order[j]];
    }
    if (auto factor = try_cholesky_of_inverse(std::move(damped), static_cast<std::int64_t>(n))) return std::move(*factor);
    if (damping >= 1)
      throw Error(ErrorCode::kBadInput, "Hessian", "not positive definite even with the mean of its diagonal added");
    damping = std::max(damping, 1e-4);
  }
}

namespace {

/// Σ x² by column [groups, columns], at each element of the weight that meets it.
std::vector<float> spread_energy(const ir::WeightView& view, std::span<const double> energy, std::int64_t groups) {
  const std::int64_t n = view.taps * view.inputs, each = view.outputs / groups;
  std::vector<float> spread(static_cast<std::size_t>(view.outputs * n));
  for (std::int64_t o = 0; o < view.outputs; ++o)
    for (std::int64_t c = 0; c < n; ++c)
      spread[static_cast<std::size_t>(view.index(o, c / view.inputs, c % view.inputs))] =
          static_cast<float>(energy[static_cast<std::size_t>(o / each * n + c)]);
  return spread;
}

}  // namespace

std::vector<float> input_energy(const ir::WeightView& view, std::span<const double> hessian, std::int64_t groups) {
  const auto n = static_cast<std::size_t>(view.taps * view.inputs);
  std::vector<double> diagonal(n * static_cast<std::size_t>(groups));
  for (std::size_t i = 0; i < diagonal.size(); ++i) diagonal[i] = hessian[i * n + i % n];
  return spread_energy(view, diagonal, groups);
}

std::vector<double> centered_hessian(const LayerInputs& inputs) {
  std::vector<double> centered(inputs.hessian.begin(), inputs.hessian.end());
  const std::size_t n = inputs.sums.size() / static_cast<std::size_t>(inputs.groups);
  const auto rows = static_cast<double>(inputs.rows);
  for (std::size_t i = 0; i < inputs.sums.size(); ++i)
    for (std::size_t j = 0; j < n; ++j) centered[i * n + j] -= inputs.sums[i] * inputs.sums[i / n * n + j] / rows;
  // A constant input leaves nothing but rounding behind.
  for (std::size_t i = 0; i < inputs.sums.size(); ++i)
    if (centered[i * n + i % n] <= 1e-9 * inputs.hessian[i * n + i % n])
      for (std::size_t j = 0; j < n; ++j) centered[i * n + j] = centered[(i / n * n + j) * n + i % n] = 0;
  return centered;
}

void visit_hessians(const ir::Model& model, const std::vector<Layer>& layers, std::int64_t samples,
                    const StepContext& context, const HessianVisitor& visit) {
  visit_inputs(model, layers, samples, context, [&](const Layer& layer, const LayerInputs& inputs) {
    visit(layer, inputs.hessian, inputs.groups);
  });
}

namespace {

void visit_sums(const ir::Model& model, const std::vector<Layer>& layers, bool diagonal, std::int64_t samples,
                const StepContext& context, const InputsVisitor& visit) {
  constexpr std::size_t kBudget = (std::size_t{1} << 30) / sizeof(double);
  std::vector<Gathered> all;
  std::map<std::string, std::size_t> at;
  for (const Layer& layer : layers) {
    if (!why_no_hessian(model.graph, layer).empty()) continue;
    const auto [found, fresh] = at.try_emplace(key_of(model.graph, layer), all.size());
    if (fresh) all.emplace_back().first = &layer, all.back().diagonal = diagonal;
    all[found->second].layers.push_back(&layer);
  }
  for (std::size_t first = 0; first < all.size();) {
    std::size_t end = first, held = 0;
    while (end < all.size() && (end == first || held + size_of(model.graph, all[end]) <= kBudget))
      held += size_of(model.graph, all[end++]);
    gather(model, std::span(all).subspan(first, end - first), samples, context);
    for (; first < end; ++first) {
      for (const Layer* layer : all[first].layers)
        visit(*layer, {.hessian = all[first].hessian,
                       .sums = all[first].totals,
                       .rows = all[first].rows,
                       .groups = groups_of(model.graph.node(layer->node))});
      all[first].hessian = {};
    }
    context.control.report({"hessians", static_cast<std::int64_t>(end), static_cast<std::int64_t>(all.size()), "inputs",
                            {}, -1});
  }
}

}  // namespace

void visit_inputs(const ir::Model& model, const std::vector<Layer>& layers, std::int64_t samples,
                  const StepContext& context, const InputsVisitor& visit) {
  visit_sums(model, layers, false, samples, context, visit);
}

void visit_energies(const ir::Model& model, const std::vector<Layer>& layers, std::int64_t samples,
                    const StepContext& context, const EnergyVisitor& visit) {
  visit_sums(model, layers, true, samples, context, [&](const Layer& layer, const LayerInputs& inputs) {
    visit(layer, spread_energy(layer.weight.view, inputs.hessian, inputs.groups));
  });
}

}  // namespace pare::compress
