#include "eval/injection.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/float16.h"
#include "data/padding.h"
#include "eval/graph_part.h"
#include "eval/metrics.h"
#include "ir/infer.h"
#include "ir/subgraph.h"
#include "pare/error.h"

namespace pare::eval {

namespace {

/// The part of b that computes one layer.
struct Segment {
  std::map<ir::ValueId, std::size_t> fed;  ///< where it begins: the layer by the value of b that stands for it
};

std::map<std::string, Dims> shapes_of(const NamedTensors& inputs) {
  std::map<std::string, Dims> shapes;
  for (const auto& [name, tensor] : inputs) shapes[name] = tensor.dims();
  return shapes;
}

class Injector {
 public:
  Injector(const exec::Backend& backend, const ir::Model& a, const ir::Model& b, const std::vector<LayerPair>& layers,
           std::span<const PairedBatch> samples, const InjectionOptions& options)
      : backend_(backend), a_(a), b_(b), layers_(layers), samples_(samples), options_(options) {
    for (std::size_t i = 0; i < layers.size(); ++i) places_[layers[i].b.source] = i;
    output_ = a.graph.find_value(options.output);
    const auto executor = compile(a_);
    for (const PairedBatch& batch : samples_) {
      reference_.push_back(counted(executor->run(batch.a).at(options_.output), batch).clone());
      facts_a_.push_back(ir::infer_for(a_, shapes_of(batch.a)));
      facts_b_.push_back(ir::infer_for(b_, shapes_of(batch.b)));
    }
  }

  std::optional<InjectedError> run(std::size_t layer) {
    const LayerPair& pair = layers_[layer];
    const ir::ValueId made = b_.graph.find_value(pair.b.observed);
    if (pair.identical || b_.graph.is_input(made) || !shapes_known(layer)) return std::nullopt;
    const Segment segment = segment_of(layer, made);
    const std::vector<Tensor> values = values_of(segment, layer, made);
    const ir::Model tail = graph_part(a_, {pair.a.source}, {output_});
    const bool is_output = pair.a.source == output_;
    const auto executor = is_output ? nullptr : compile(tail);
    InjectedError error;
    MetricAccumulator metrics;
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      error.layer.add(counted(exact_[i], samples_[i]), counted(values[i], samples_[i]));
      const Tensor answer =
          counted(is_output ? values[i] : executor->run(inputs_of(tail, i, pair.a.source, values[i])).at(options_.output),
                  samples_[i]);
      error.output.add(reference_[i], answer);
      if (!options_.classes) continue;
      const Tensor wanted = cast(reference_[i], DType::kFloat32);
      metrics.add(cast(answer, DType::kFloat32), {}, &wanted);
    }
    if (options_.classes) error.agreement = metrics.result().agreement;
    return error;
  }

 private:
  std::unique_ptr<exec::Executor> compile(const ir::Model& model) const {
    return backend_.compile(model, options_.compile);
  }

  Tensor counted(const Tensor& tensor, const PairedBatch& batch) const {
    return data::first_rows(tensor, batch.rows, options_.fixed_batch);
  }

  Dims dims_in_a(std::size_t batch, ir::ValueId id) const {
    return facts_a_[batch][static_cast<std::size_t>(id)].shape.static_dims().value_or(Dims());
  }

  bool shapes_known(std::size_t layer) const {
    for (std::size_t i = 0; i < samples_.size(); ++i)
      if (!facts_a_[i][static_cast<std::size_t>(layers_[layer].a.source)].shape.static_dims()) return false;
    return true;
  }

  /// From the layer's value in b up to the nearest values that stand for other layers.
  Segment segment_of(std::size_t layer, ir::ValueId made) const {
    const ir::Graph& graph = b_.graph;
    Segment segment;
    std::set<ir::ValueId> seen{made};
    for (std::vector<ir::ValueId> open{made}; !open.empty();) {
      const ir::NodeId producer = graph.producer(open.back());
      open.pop_back();
      if (producer == ir::kNoNode) continue;
      std::vector<ir::ValueId> read = graph.node(producer).inputs;
      for (const std::string& name : ir::captures(graph.node(producer))) read.push_back(graph.find_value(name));
      for (ir::ValueId id : read) {
        if (id == ir::kNoValue || graph.constant(id) || !seen.insert(id).second) continue;
        const std::optional<std::size_t> place = layer_of(id);
        if (place && *place != layer && known_in_b(id))
          segment.fed[id] = *place;
        else
          open.push_back(id);
      }
    }
    return segment;
  }

  /// That a value of b stands for, as it is or rounded.
  std::optional<std::size_t> layer_of(ir::ValueId id) const {
    for (; id != ir::kNoValue; id = handed_on(b_.graph, id))
      if (const auto place = places_.find(id); place != places_.end()) return place->second;
    return std::nullopt;
  }

  bool known_in_b(ir::ValueId id) const {
    return std::all_of(facts_b_.begin(), facts_b_.end(),
                       [&](const auto& facts) { return facts[static_cast<std::size_t>(id)].shape.static_dims(); });
  }

  /// What the segment makes of a's values, by batch, in the shape of a's layer; leaves a's own in exact_.
  std::vector<Tensor> values_of(const Segment& segment, std::size_t layer, ir::ValueId made) {
    std::vector<ir::ValueId> given, wanted{layers_[layer].a.source};
    for (const auto& [id, fed] : segment.fed) {
      given.push_back(id);
      wanted.push_back(a_.graph.find_value(layers_[fed].a.observed));
    }
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    std::erase_if(wanted, [&](ir::ValueId id) { return a_.graph.is_input(id); });
    const ir::Model head = graph_part(a_, {}, wanted), part = graph_part(b_, given, {made});
    const auto head_executor = wanted.empty() ? nullptr : compile(head), part_executor = compile(part);
    std::vector<Tensor> values;
    exact_.clear();
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      NamedTensors known = samples_[i].a;
      if (head_executor)
        for (auto& [name, tensor] : head_executor->run(inputs_of(head, i))) known[name] = tensor;
      NamedTensors inputs;
      for (ir::ValueId id : part.graph.inputs) {
        const ir::Value& value = part.graph.value(id);
        const auto fed = segment.fed.find(id);
        inputs[value.name] = fed == segment.fed.end()
                                 ? samples_[i].b.at(value.name)
                                 : fitted(known.at(layers_[fed->second].a.observed), i, id, value.dtype);
      }
      const Dims dims = dims_in_a(i, layers_[layer].a.source);
      exact_.push_back(known.at(a_.graph.value(layers_[layer].a.source).name));
      values.push_back(cast(part_executor->run(inputs).at(layers_[layer].b.observed).clone(), exact_.back().dtype())
                           .reshaped(dims));
    }
    return values;
  }

  /// A value of a in shape and type of b's.
  Tensor fitted(const Tensor& tensor, std::size_t batch, ir::ValueId id, DType type) const {
    return cast(tensor, type).reshaped(*facts_b_[batch][static_cast<std::size_t>(id)].shape.static_dims());
  }

  /// Of a part of a, on one batch; `value` for `given`, which may be an input of a.
  NamedTensors inputs_of(const ir::Model& part, std::size_t batch, ir::ValueId given = ir::kNoValue,
                         const Tensor& value = {}) const {
    NamedTensors inputs;
    for (ir::ValueId id : part.graph.inputs) {
      const std::string& name = part.graph.value(id).name;
      inputs[name] = id == given ? value : samples_[batch].a.at(name);
    }
    return inputs;
  }

  const exec::Backend& backend_;
  const ir::Model &a_, &b_;
  const std::vector<LayerPair>& layers_;
  std::span<const PairedBatch> samples_;
  const InjectionOptions& options_;
  std::map<ir::ValueId, std::size_t> places_;  ///< layer by its value in b before quantization
  ir::ValueId output_ = ir::kNoValue;
  std::vector<Tensor> reference_, exact_;
  std::vector<std::vector<ir::ValueFacts>> facts_a_, facts_b_;
};

}  // namespace

std::vector<std::optional<InjectedError>> inject_errors(const exec::Backend& backend, const ir::Model& a,
                                                        const ir::Model& b, const std::vector<LayerPair>& layers,
                                                        std::span<const PairedBatch> samples,
                                                        const InjectionOptions& options, const Control& control) {
  Injector injector(backend, a, b, layers, samples, options);
  std::vector<std::optional<InjectedError>> errors;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    control.check_cancelled();
    errors.push_back(injector.run(i));
    control.report({.stage = "injection",
                    .done = static_cast<std::int64_t>(i + 1),
                    .total = static_cast<std::int64_t>(layers.size()),
                    .unit = "layers",
                    .values = {}});
  }
  return errors;
}

}  // namespace pare::eval
