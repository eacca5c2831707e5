#include "compress/quantize/constant_inputs.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <set>

#include "base/float16.h"
#include "base/text.h"
#include "compress/calibration_samples.h"
#include "ir/subgraph.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using ir::Graph;
using ir::Node;
using ir::ValueId;

/// The graph's inputs whose elements a value depends on; their shapes alone do not count.
std::set<ValueId> sources_of(const Graph& graph, ValueId value) {
  std::set<ValueId> sources, seen;
  std::vector<ValueId> open = {value};
  while (!open.empty()) {
    const ValueId id = open.back();
    open.pop_back();
    if (id == ir::kNoValue || !seen.insert(id).second || graph.value(id).constant) continue;
    const ir::NodeId maker = graph.producer(id);
    if (maker == ir::kNoNode) {
      sources.insert(id);
      continue;
    }
    const Node& node = graph.node(maker);
    if (node.is("Shape") || node.is("Size")) continue;
    open.insert(open.end(), node.inputs.begin(), node.inputs.end());
    // What its subgraphs read from around is not followed: it may be anything.
    if (ir::has_subgraph(node)) sources.insert(graph.inputs.begin(), graph.inputs.end());
  }
  return sources;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

/// The one number that all elements of an input have in these samples; none: they differ.
std::optional<double> only_number(const data::Split& split, const std::string& input,
                                  const std::vector<std::int64_t>& samples) {
  std::optional<double> only;
  for (const std::int64_t sample : samples) {
    const NamedTensors inputs = split.batch({sample}).inputs;
    const auto found = inputs.find(input);
    if (found == inputs.end()) return std::nullopt;
    for (std::int64_t i = 0; i < found->second.numel(); ++i) {
      const double now = element_as_double(found->second, i);
      if (only && *only != now) return std::nullopt;
      only = now;
    }
  }
  return only;
}

/// Why a constant value is no fault; "": it is one.
std::string excuse(const Graph& graph, ValueId value, const std::vector<std::int64_t>& samples,
                   const StepContext& context) {
  std::vector<std::string> told;
  for (const ValueId source : sources_of(graph, value)) {
    const ir::Value& input = graph.value(source);
    if (is_float(input.dtype)) return "";
    const std::optional<double> only = only_number(*context.dataset.train, input.name, samples);
    if (!only) return "";
    told.push_back("'" + input.name + "', which is " + number(*only) + " in all samples");
  }
  return told.empty() ? "its input is made of constants alone"
                      : "its input follows from " + join(told, ", and ") + ", alone";
}

[[noreturn]] void refuse(const std::vector<const Layer*>& layers, const std::string& value, double only,
                         std::int64_t samples) {
  std::vector<std::string> names;
  for (const Layer* layer : layers) names.push_back(layer->name);
  throw Error(ErrorCode::kBadInput, "layer '" + names[0] + "'",
              "its input '" + value + "' is the same everywhere in all " + std::to_string(samples) +
                  " calibration samples, so that it has no range; check the data and their preprocessing, or leave it "
                  "in float: "
                  "--exclude " +
                  join(names, ","),
              "values that differ", number(only));
}

}  // namespace

std::map<std::string, std::string> constant_inputs(const ir::Model& model, const std::vector<Layer>& layers,
                                                   const Statistics& statistics,
                                                   const std::vector<StatisticsRequest>& requests,
                                                   const StepContext& context) {
  const Graph& graph = model.graph;
  std::map<std::string, std::string> stay_float;
  std::vector<const Layer*> faulty;
  for (const Layer& layer : layers) {
    const ValueId value = graph.node(layer.node).input(0);
    const std::string& name = graph.value(value).name;
    if (!statistics.has(name) || statistics.of(name).min() < statistics.of(name).max()) continue;
    const std::string why = excuse(graph, value, samples_of(requests, context), context);
    if (why.empty())
      faulty.push_back(&layer);
    else
      stay_float[layer.name] = why;
  }
  if (!faulty.empty()) {
    const std::string& value = graph.value(graph.node(faulty[0]->node).input(0)).name;
    refuse(faulty, value, static_cast<double>(statistics.of(value).min()), statistics.samples());
  }
  return stay_float;
}

}  // namespace pare::compress
