#include "compress/quantize/awq.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compress/layerwise/hessian.h"
#include "compress/quantize/layer_error.h"
#include "compress/quantize/probe.h"
#include "ir/infer.h"

namespace pare::compress {
namespace {

constexpr int kSteps = 20;

/// A value that could be rescaled, and its readers' error at every strength that is tried.
struct Candidate {
  ChannelSite site;
  std::vector<double> alphas, errors;
  std::vector<std::vector<double>> scales;
};

std::vector<Candidate> candidates_of(const ir::Model& model, const std::vector<Layer>& layers,
                                     const std::map<std::string, InputChannels>& inputs, std::optional<double> alpha,
                                     AwqResult& result) {
  std::vector<Candidate> candidates;
  for (ChannelSite& site : channel_sites(model.graph, layers)) {
    if (site.parts.empty()) {
      result.left[model.graph.value(site.value).name] = site.why_not;
      continue;
    }
    Candidate one{std::move(site), {0.0}, {}, {}};
    if (alpha && *alpha > 0) one.alphas.push_back(*alpha);
    for (int step = 1; !alpha && step <= kSteps; ++step) one.alphas.push_back(static_cast<double>(step) / kSteps);
    for (double each : one.alphas)
      one.scales.push_back(awq_scales(inputs.at(one.site.readers[0].name).magnitude, each));
    one.errors.assign(one.alphas.size(), 0.0);
    candidates.push_back(std::move(one));
  }
  return candidates;
}

/// The strength to take: the last one where it was given, else that of least error.
std::size_t best_of(const Candidate& candidate, bool given) {
  if (given) return candidate.alphas.size() - 1;
  return static_cast<std::size_t>(std::ranges::min_element(candidate.errors) - candidate.errors.begin());
}

}  // namespace

std::vector<double> awq_scales(std::span<const double> magnitudes, double alpha) {
  constexpr double kSmallest = 1e-4;  // as the authors' code
  std::vector<double> s;
  double low = 0, high = 0;
  for (double magnitude : magnitudes) {
    s.push_back(magnitude > 0 && std::isfinite(magnitude) ? std::max(std::pow(magnitude, alpha), kSmallest) : 0);
    if (s.back() == 0) continue;
    low = low == 0 ? s.back() : std::min(low, s.back());
    high = std::max(high, s.back());
  }
  const double middle = std::sqrt(low * high);
  for (double& one : s) one = one == 0 ? 1 : one / middle;
  return s;
}

double awq_error(const Tensor& weight, const Layer& layer, const WeightSpec& spec, std::span<const double> hessian,
                 std::int64_t groups, std::span<const double> s) {
  const ir::WeightView& view = layer.weight.view;
  const auto n = static_cast<std::size_t>(view.taps * view.inputs);
  const auto channel = [&](std::int64_t group, std::size_t column) {
    return static_cast<std::size_t>(group * view.inputs) + column % static_cast<std::size_t>(view.inputs);
  };
  Tensor scaled = weight.clone();
  auto values = scaled.mutable_data<float>();
  for (std::int64_t o = 0; o < view.outputs; ++o)
    for (std::size_t j = 0; j < n; ++j) {
      const auto c = static_cast<std::int64_t>(j);
      float& w = values[static_cast<std::size_t>(view.index(o, c / view.inputs, c % view.inputs))];
      w = static_cast<float>(static_cast<double>(w) * s[channel(o / (view.outputs / groups), j)]);
    }
  std::vector<double> h(hessian.begin(), hessian.end());
  for (std::int64_t g = 0; g < groups; ++g)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        h[(static_cast<std::size_t>(g) * n + i) * n + j] /= s[channel(g, i)] * s[channel(g, j)];
  const passes::QuantParams params = weight_params(scaled, layer.weight.output_axis, spec, input_energy(view, h, groups));
  const passes::ParamMap map(params, weight.dims());
  const RoundedLayer rounded{scaled.data<float>(), view, params, map, h, groups};
  const std::vector<double> errors = output_errors(rounded, nearest_levels(rounded));
  return std::accumulate(errors.begin(), errors.end(), 0.0);
}

AwqResult awq(ir::Model& model, const std::vector<Layer>& layers, const SpecOf& spec, std::optional<double> alpha,
              std::int64_t samples, const StepContext& context) {
  AwqResult result;
  std::vector<Candidate> candidates =
      candidates_of(model, layers, input_channels(model, layers, samples, context), alpha, result);
  std::map<ir::NodeId, Candidate*> of;
  std::vector<Layer> readers;
  for (Candidate& candidate : candidates)
    for (const Layer& reader : candidate.site.readers) {
      of[reader.node] = &candidate;
      readers.push_back(reader);
    }
  visit_hessians(model, readers, samples, context,
                 [&](const Layer& layer, std::span<const double> hessian, std::int64_t groups) {
                   Candidate& candidate = *of.at(layer.node);
                   const Tensor& weight = *model.graph.constant(layer.weight.value);
                   for (std::size_t i = 0; i < candidate.alphas.size(); ++i) {
                     context.control.check_cancelled();
                     candidate.errors[i] += awq_error(weight, layer, spec(layer), hessian, groups, candidate.scales[i]);
                   }
                 });
  for (Candidate& candidate : candidates) {
    const std::string name = model.graph.value(candidate.site.value).name;
    const std::size_t best = best_of(candidate, alpha.has_value());
    if (candidate.alphas[best] == 0) {
      result.left[name] = "no strength lowers the error of its readers";
      continue;
    }
    rescale(model.graph, candidate.site, candidate.scales[best]);
    result.folded[name] = candidate.site.maker;
    result.strengths[name] = candidate.alphas[best];
    result.gains[name] =
        candidate.errors[best] > 0 ? 10 * std::log10(candidate.errors[0] / candidate.errors[best]) : 0;
  }
  ir::infer_shapes(model);
  return result;
}

}  // namespace pare::compress
