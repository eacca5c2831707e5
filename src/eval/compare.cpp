#include "eval/compare.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/float16.h"
#include "data/padding.h"
#include "eval/lockstep.h"
#include "ir/judged.h"
#include "pare/error.h"

namespace pare::eval {

namespace {

/// Above this, two tensors differ by less than float32 can tell; sums with an attention mask of −3e38 look like that.
constexpr double kSameInFloat32 = 150;

std::map<std::string, Dims> shapes_of(const NamedTensors& inputs) {
  std::map<std::string, Dims> shapes;
  for (const auto& [name, tensor] : inputs) shapes[name] = tensor.dims();
  return shapes;
}

/// Values that are not finite are left out.
void count(Histogram& histogram, const Tensor& tensor) {
  const Tensor floats = cast(tensor, DType::kFloat32);
  const std::span<const float> values = floats.data<float>();
  if (histogram.add(values, true)) return;
  std::vector<float> finite;
  std::copy_if(values.begin(), values.end(), std::back_inserter(finite), [](float x) { return std::isfinite(x); });
  histogram.add(finite, true);
}

bool is_port(const std::vector<ir::ValueId>& ports, const ir::Graph& graph, const std::string& name) {
  return std::any_of(ports.begin(), ports.end(), [&](ir::ValueId id) { return graph.value(id).name == name; });
}

/// One model: how the samples become its inputs, and the executor that shows its layers.
struct Side {
  const ir::Model& model;
  std::unique_ptr<exec::Executor> executor;
  std::map<std::string, std::size_t> observed;  ///< layer by value, as the lockstep wants it
  std::map<std::string, std::size_t> outputs;   ///< layers that are outputs of the model, compared after the run
};

class Comparer {
 public:
  Comparer(const exec::Backend& backend, const ir::Model& a, const ir::Model& b, const CompareOptions& options)
      : backend_(backend),
        options_(options),
        a_{a, {}, {}, {}},
        b_{b, {}, {}, {}},
        input_of_b_(match_ports(a, b, true)),
        output_of_b_(match_ports(a, b, false)) {
    for (ir::ValueId id : a.graph.outputs) {
      const ir::Value& value = a.graph.value(id);
      if (!is_float(value.dtype)) continue;
      result_.outputs.push_back({value.name, output_of_b_.at(value.name), {}});
    }
    if (!ir::judgeable_outputs(a.graph).empty())
      result_.judged = a.graph.value(ir::judged_output(a.graph, options.output)).name;
  }

  void add(data::Batch batch) {
    const auto rows = static_cast<std::int64_t>(batch.indices.size());
    data::fill_up(batch.inputs, rows, options_.fixed_batch);
    const NamedTensors for_b = inputs_of_b(batch.inputs);
    if (!a_.executor) prepare(batch.inputs, for_b);
    const auto [out_a, out_b] = run_in_lockstep(
        {*a_.executor, batch.inputs, a_.observed}, {*b_.executor, for_b, b_.observed},
        [&](std::size_t layer, const Tensor& x, const Tensor& y) { see(result_.layers[layer], x, y); });
    for (const auto& [name, layer] : a_.outputs) {
      const auto other = std::find_if(b_.outputs.begin(), b_.outputs.end(),
                                      [&, index = layer](const auto& entry) { return entry.second == index; });
      see(result_.layers[layer], out_a.at(name), out_b.at(other->first));
    }
    for (ComparedOutput& output : result_.outputs) {
      output.difference.add(data::first_rows(out_a.at(output.a), rows, options_.fixed_batch),
                            data::first_rows(out_b.at(output.b), rows, options_.fixed_batch));
    }
    if (!result_.judged.empty()) {
      const auto judged = [&](const Tensor& output) {
        return data::first_rows(cast(output, DType::kFloat32), rows, options_.fixed_batch);
      };
      const Tensor x = judged(out_a.at(result_.judged)), y = judged(out_b.at(output_of_b_.at(result_.judged)));
      metrics_a_.add(x, batch.labels, nullptr, batch.targets);
      metrics_b_.add(y, batch.labels, &x, batch.targets);
    }
    result_.samples += rows;
    keep(batch.inputs, for_b, rows);
  }

  CompareResult finish(const Control& control) {
    if (!result_.judged.empty() && result_.samples > 0) {
      result_.a = metrics_a_.result();
      result_.b = metrics_b_.result();
    }
    find_drops();
    a_.executor.reset();
    b_.executor.reset();
    if (result_.injection_samples > 0) inject(control);
    return std::move(result_);
  }

 private:
  static void see(ComparedLayer& layer, const Tensor& a, const Tensor& b) {
    layer.difference.add(a, b);
    count(layer.histogram_a, a);
    count(layer.histogram_b, b);
  }

  /// Keeps a batch for injection, or what of it is still wanted.
  void keep(const NamedTensors& for_a, const NamedTensors& for_b, std::int64_t rows) {
    const std::int64_t wanted = options_.injection - result_.injection_samples;
    if (wanted <= 0 || effect_output().empty()) return;
    PairedBatch kept{for_a, for_b, std::min(rows, wanted)};
    if (options_.fixed_batch == 0 && wanted < rows)
      for (NamedTensors* inputs : {&kept.a, &kept.b})
        for (auto& [name, tensor] : *inputs) tensor = data::first_rows(tensor, wanted, rows);
    kept_.push_back(std::move(kept));
    result_.injection_samples += kept_.back().rows;
  }

  /// Where the effect of a layer's error is measured; "" when there is no float output.
  std::string effect_output() const {
    if (!result_.judged.empty()) return result_.judged;
    return result_.outputs.empty() ? "" : result_.outputs.front().a;
  }

  void inject(const Control& control) {
    std::vector<LayerPair> layers;
    for (const ComparedLayer& layer : result_.layers)
      layers.push_back({layer.a, layer.b, layer.difference.identical()});
    const InjectionOptions how{.compile = compile_options(),
                               .output = effect_output(),
                               .classes = !result_.judged.empty() && result_.b.agreement.has_value(),
                               .fixed_batch = options_.fixed_batch};
    const auto errors = inject_errors(backend_, a_.model, b_.model, layers, kept_, how, control);
    for (std::size_t i = 0; i < errors.size(); ++i) result_.layers[i].injected = errors[i];
  }

  NamedTensors inputs_of_b(const NamedTensors& inputs) const {
    NamedTensors renamed;
    for (const auto& [name, tensor] : inputs) {
      const auto found = input_of_b_.find(name);
      if (found == input_of_b_.end()) continue;
      const ir::Graph& graph = b_.model.graph;
      renamed[found->second] = cast(tensor, graph.value(graph.find_value(found->second)).dtype);
    }
    return renamed;
  }

  exec::CompileOptions compile_options() const {
    exec::CompileOptions compile;
    compile.threads = options_.threads;
    compile.max_memory = options_.max_memory;
    compile.float_qdq = options_.float_qdq;
    return compile;
  }

  std::unique_ptr<exec::Executor> compile(const ir::Model& model, std::vector<std::string> observed) const {
    exec::CompileOptions compile = compile_options();
    compile.observed = std::move(observed);
    return backend_.compile(model, compile);
  }

  std::vector<LayerValue> values_of(const ir::Model& model, const NamedTensors& inputs) const {
    const std::map<std::string, Dims> shapes = shapes_of(inputs);
    return layer_values(model, compile(model, {})->plan(shapes), shapes);
  }

  /// Which layers there are follows from the plans for the first batch.
  void prepare(const NamedTensors& for_a, const NamedTensors& for_b) {
    const std::vector<LayerValue> a = values_of(a_.model, for_a), b = values_of(b_.model, for_b);
    std::map<std::string, std::string> input_names;
    for (const auto& [mine, other] : input_of_b_) input_names[other] = mine;
    const LayerMatches matches = match_layers(a, b, input_names);
    for (const LayerMatch& match : matches.pairs) {
      const bool untouched = a[match.a].op_type == "Input" &&
                             is_port(a_.model.graph.inputs, a_.model.graph, a[match.a].observed) &&
                             is_port(b_.model.graph.inputs, b_.model.graph, b[match.b].observed);
      if (!untouched) result_.layers.push_back({a[match.a], b[match.b], match.by_name, {}, {}, {}, {}, {}});
    }
    for (const UnmatchedLayer& layer : matches.unmatched) report(layer, layer.in_a ? a[layer.index] : b[layer.index]);
    assign_layers();
    a_.executor = compile(a_.model, names_to_observe(a_));
    b_.executor = compile(b_.model, names_to_observe(b_));
  }

  void report(const UnmatchedLayer& unmatched, const LayerValue& layer) {
    const ir::Graph& other = unmatched.in_a ? b_.model.graph : a_.model.graph;
    const bool hidden = !unmatched.named && other.find_value(layer.key) != ir::kNoValue;
    result_.uncompared.push_back(
        {unmatched.in_a, layer, hidden ? "computed inside another step in the other model" : unmatched.reason});
  }

  /// Outputs need no observer, and a layer that only one model has as its output is observed in the other.
  void assign_layers() {
    for (std::size_t i = 0; i < result_.layers.size(); ++i) {
      const ComparedLayer& layer = result_.layers[i];
      const bool both = is_port(a_.model.graph.outputs, a_.model.graph, layer.a.observed) &&
                        is_port(b_.model.graph.outputs, b_.model.graph, layer.b.observed);
      (both ? a_.outputs : a_.observed)[layer.a.observed] = i;
      (both ? b_.outputs : b_.observed)[layer.b.observed] = i;
    }
  }

  static std::vector<std::string> names_to_observe(const Side& side) {
    std::vector<std::string> names;
    for (const auto& [name, layer] : side.observed)
      if (!is_port(side.model.graph.inputs, side.model.graph, name)) names.push_back(name);
    return names;
  }

  void find_drops() {
    std::map<ir::ValueId, std::size_t> places;
    std::optional<double> best;
    for (std::size_t i = 0; i < result_.layers.size(); ++i) {
      places[result_.layers[i].a.source] = i;
      const auto snr = result_.layers[i].difference.snr_db();
      const bool computed = result_.layers[i].a.op_type != "Input";  // rounding an input says nothing of layers
      if (snr && std::isfinite(*snr) && *snr < kSameInFloat32 && computed) best = std::max(best.value_or(*snr), *snr);
    }
    for (ComparedLayer& layer : result_.layers) {
      const auto snr = layer.difference.snr_db();
      if (!snr || !best || layer.a.op_type == "Input") continue;
      double fed = *best;  // also where what feeds it is the same
      for (std::size_t before : feeding(layer.a.source, places))
        fed = std::min(fed, result_.layers[before].difference.snr_db().value_or(*best));
      layer.drop_db = fed - *snr;
    }
  }

  /// The nearest compared layers above a value of a.
  std::set<std::size_t> feeding(ir::ValueId value, const std::map<ir::ValueId, std::size_t>& places) const {
    const ir::Graph& graph = a_.model.graph;
    std::set<std::size_t> found;
    std::set<ir::ValueId> seen{value};
    for (std::vector<ir::ValueId> open{value}; !open.empty();) {
      const ir::NodeId producer = graph.producer(open.back());
      open.pop_back();
      if (producer == ir::kNoNode) continue;
      for (ir::ValueId input : graph.node(producer).inputs) {
        if (input == ir::kNoValue || !seen.insert(input).second) continue;
        if (const auto place = places.find(input); place != places.end()) {
          found.insert(place->second);
        } else {
          open.push_back(input);
        }
      }
    }
    return found;
  }

  const exec::Backend& backend_;
  const CompareOptions& options_;
  Side a_, b_;
  std::map<std::string, std::string> input_of_b_, output_of_b_;
  MetricAccumulator metrics_a_, metrics_b_;
  std::vector<PairedBatch> kept_;
  CompareResult result_;
};

}  // namespace

CompareResult compare(const exec::Backend& backend, const ir::Model& a, const ir::Model& b, const BatchSource& next,
                      const CompareOptions& options, const Control& control) {
  Comparer comparer(backend, a, b, options);
  std::int64_t done = 0;
  while (std::optional<data::Batch> batch = next()) {
    control.check_cancelled();
    done += static_cast<std::int64_t>(batch->indices.size());
    comparer.add(std::move(*batch));
    control.report({.stage = "compare", .done = done, .total = options.total, .unit = "samples", .values = {}});
  }
  return comparer.finish(control);
}

}  // namespace pare::eval
