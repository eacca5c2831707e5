#include "compress/quantize/protect.h"

#include <algorithm>
#include <cmath>

#include "compress/statistics.h"
#include "ir/infer.h"

namespace pare::compress {
namespace {

/// Marks what is repaired. A layer that makes less than a hundredth of the noise is not worth it.
void choose(std::vector<Injection>& candidates, double noise, const ProtectionLimits& limits) {
  const double target = std::pow(10.0, -limits.target_db / 10);
  std::vector<Injection*> order;
  for (Injection& candidate : candidates) order.push_back(&candidate);
  std::stable_sort(order.begin(), order.end(), [](const Injection* a, const Injection* b) {
    return a->noise * std::max(b->share, 1e-6) > b->noise * std::max(a->share, 1e-6);
  });
  double left = limits.mac_share, sum = 0;
  for (const Injection& candidate : candidates) sum += candidate.noise;
  const double unit = sum > 0 ? noise / sum : 0;  // what one alone injects, as a part of what all together do
  std::size_t kept = 0;
  for (Injection* candidate : order) {
    if (noise <= target) break;
    if (candidate->share > left || candidate->noise < sum / 100 || kept + 1 == candidates.size()) continue;
    candidate->kept = true;
    ++kept;
    left -= candidate->share;
    noise -= candidate->noise * std::min(unit, 1.0);
  }
}

/// Multiply-accumulates for each element of the layer's input.
double work(const ir::Model& model, const Layer& layer) {
  const ir::Node& node = model.graph.node(layer.node);
  const ir::WeightView& view = layer.weight.view;
  const auto groups = node.is("Conv") ? node.int_or("group", 1) : 1;
  double strides = 1;
  for (const std::int64_t stride : node.ints_or("strides", {})) strides *= static_cast<double>(stride);
  return static_cast<double>(view.outputs * view.taps) / static_cast<double>(groups) / strides;
}

constexpr double kLeft = 0.25;  ///< of a layer's noise, where a repair is as good as float

/// Rounds the weights of marked layers anew, and unmarks those that need no more.
void round_anew(const std::vector<Layer>& layers, const Probe& probe, const Repairers& make,
                std::vector<Injection>& candidates, std::set<std::string>& rounded) {
  std::vector<Layer> marked;
  for (std::size_t i = 0; i < candidates.size(); ++i)
    if (candidates[i].kept) marked.push_back(layers[i]);
  if (!make.round || marked.empty()) return;
  make.round(marked);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    Injection& one = candidates[i];
    if (!one.kept) continue;
    one.rounded_noise = probe.noise(make.one(layers[i], false));
    if (*one.rounded_noise >= one.noise) make.unround(layers[i]);
    if (*one.rounded_noise > kLeft * one.noise) continue;
    one.kept = false;
    rounded.insert(one.node);
  }
}

/// Marks which repaired layers get 16-bit inputs.
void widen(const ir::Model& model, const std::vector<Layer>& layers, const Probe& probe, const Repairers& make,
           RepairBy by, std::vector<Injection>& candidates) {
  constexpr double kWork = 64;
  std::set<std::string> repaired;
  for (const Injection& candidate : candidates)
    if (candidate.kept) repaired.insert(candidate.node);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    Injection& one = candidates[i];
    if (!one.kept || by == RepairBy::kFloat) continue;
    one.wide = by == RepairBy::kWide;
    if (one.wide || work(model, layers[i]) < kWork) continue;
    const auto along = make.widened(layers[i]);
    if (!along || !std::includes(repaired.begin(), repaired.end(), along->begin(), along->end())) continue;
    one.wide_noise = probe.noise(make.one(layers[i], true));
    one.wide = *one.wide_noise <= kLeft * one.noise;
  }
}

Repairs repairs_of(const std::vector<Injection>& candidates, bool wide) {
  Repairs repairs;
  for (const Injection& one : candidates)
    if (one.kept) (wide && one.wide ? repairs.wide : repairs.floats).insert(one.node);
  return repairs;
}

/// Measures the repairs and takes back what does not help.
void settle(const Probe& probe, const Repairers& make, double noise, const ProtectionLimits& limits,
            std::vector<Injection>& candidates, Protection& result) {
  constexpr double kHalfDecibel = 1.122;
  Repairs chosen = repairs_of(candidates, true);
  if (chosen.floats.empty() && chosen.wide.empty() && result.rounded.empty()) return;
  double after = probe.noise(make.all(chosen));
  if (!chosen.wide.empty() && limits.by == RepairBy::kEither) {
    const Repairs plain = repairs_of(candidates, false);
    const double floats = probe.noise(make.all(plain));
    result.float_db = decibels(floats);
    if (after > kHalfDecibel * floats && decibels(after) < limits.target_db) chosen = plain, after = floats;
  }
  if (after >= noise) return;
  for (const Injection& one : candidates)
    if (one.kept) result.mac_share += one.share;
  result.repairs = std::move(chosen);
  result.after_db = decibels(after);
}

}  // namespace

std::vector<Injection> inject_layers(const ir::Model& model, const std::vector<Layer>& layers, const Probe& probe,
                                     const QuantizeOne& one, const StepContext& context) {
  std::map<ir::NodeId, double> macs;
  double total = 0;
  for (const auto& [node, count] : ir::count_macs(model, measured_shapes(model, context.dataset))) {
    macs[node] = static_cast<double>(count);
    total += macs[node];
  }
  std::vector<Injection> candidates;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    candidates.push_back(
        {layers[i].name, probe.noise(one(layers[i])), total > 0 ? macs[layers[i].node] / total : 0});
    context.control.report({"sensitivity", static_cast<std::int64_t>(i + 1), static_cast<std::int64_t>(layers.size()),
                            "layers", {}, -1});
  }
  return candidates;
}

Protection protect_layers(const ir::Model& model, const std::vector<Layer>& layers, const Probe& probe, double noise,
                          const ProtectionLimits& limits, const Repairers& make, const StepContext& context) {
  Protection result;
  result.before_db = result.after_db = decibels(noise);
  if (result.before_db >= limits.target_db || limits.mac_share <= 0) return result;
  std::vector<Injection> candidates =
      inject_layers(model, layers, probe, [&](const Layer& layer) { return make.one(layer, false); }, context);
  choose(candidates, noise, limits);
  round_anew(layers, probe, make, candidates, result.rounded);
  widen(model, layers, probe, make, limits.by, candidates);
  settle(probe, make, noise, limits, candidates, result);
  if (result.after_db <= result.before_db) {
    result.rounded.clear();
    for (const Layer& layer : layers)
      if (make.unround) make.unround(layer);
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Injection& a, const Injection& b) { return a.noise > b.noise; });
  for (const Injection& one : candidates) {
    const bool wide = result.repairs.wide.count(one.node) > 0;
    LayerSensitivity told{one.node, decibels(one.noise), one.share, wide || result.repairs.floats.count(one.node) > 0, wide, {}};
    if (one.wide_noise) told.wide_db = decibels(*one.wide_noise);
    if (one.rounded_noise) told.rounded_db = decibels(*one.rounded_noise);
    result.layers.push_back(std::move(told));
  }
  return result;
}

}  // namespace pare::compress
