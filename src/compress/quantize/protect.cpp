#include "compress/quantize/protect.h"

#include <algorithm>
#include <cmath>

#include "compress/statistics.h"
#include "ir/infer.h"

namespace pare::compress {
namespace {

/// Marks what stays float. A layer that makes less than a hundredth of the noise is not worth it.
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
                          const ProtectionLimits& limits, const QuantizeAll& all, const QuantizeOne& one,
                          const StepContext& context) {
  Protection result;
  result.before_db = result.after_db = decibels(noise);
  if (result.before_db >= limits.target_db || limits.mac_share <= 0) return result;
  std::vector<Injection> candidates = inject_layers(model, layers, probe, one, context);
  choose(candidates, noise, limits);
  std::set<std::string> floats;
  double share = 0;
  for (const Injection& candidate : candidates)
    if (candidate.kept) floats.insert(candidate.node), share += candidate.share;
  const double after = floats.empty() ? noise : probe.noise(all(floats));
  const bool helps = after < noise;
  if (helps) {
    result.floats = std::move(floats);
    result.after_db = decibels(after);
    result.mac_share = share;
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Injection& a, const Injection& b) { return a.noise > b.noise; });
  for (const Injection& candidate : candidates)
    result.layers.push_back({candidate.node, decibels(candidate.noise), candidate.share, candidate.kept && helps});
  return result;
}

}  // namespace pare::compress
