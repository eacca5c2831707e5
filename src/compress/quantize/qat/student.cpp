#include "compress/quantize/qat/student.h"

#include <algorithm>

#include "compress/quantize/params.h"
#include "compress/quantize/qat/grouping.h"
#include "compress/training/student.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using ir::Graph;
using ir::NodeId;
using ir::ValueId;

/// Nodes that read the integers of a value.
std::vector<NodeId> readers_of(const Graph& graph, const Placement& placement, ValueId value) {
  std::vector<NodeId> consumers = graph.value(value).consumers;
  if (const auto given = placement.readers.find(graph.value(value).name); given != placement.readers.end())
    std::erase_if(consumers, [&](NodeId id) { return !given->second.count(graph.node(id).name); });
  return consumers;
}

/// The values of all groups in the order in which they are made, with their group.
std::vector<std::pair<ValueId, std::size_t>> in_order(const Graph& graph, const Placement& placement) {
  std::map<ValueId, std::size_t> group_of;
  for (std::size_t g = 0; g < placement.groups.size(); ++g)
    for (const std::string& value : placement.groups[g]) group_of[graph.find_value(value)] = g;
  std::vector<std::pair<ValueId, std::size_t>> ordered;
  const auto take = [&](ValueId id) {
    if (const auto found = group_of.find(id); found != group_of.end()) ordered.emplace_back(id, found->second);
  };
  std::for_each(graph.inputs.begin(), graph.inputs.end(), take);
  for (const NodeId id : graph.nodes())
    std::for_each(graph.node(id).outputs.begin(), graph.node(id).outputs.end(), take);
  return ordered;
}

const std::string& name_of(const Graph& graph, ValueId id) { return graph.value(id).name; }

}  // namespace

QatStudent::QatStudent(const ir::Model& floats, const QatPlan& plan, bool keep_clusters)
    : model(floats), floats_(floats), plan_(plan), keep_clusters_(keep_clusters) {
  insert_activations();
  insert_weights();
  finish_student(model);
}

std::vector<ValueId> QatStudent::parameters(const std::string& base, const Quantizer& quantizer) {
  std::vector<ValueId> ids;
  if (ir::derives_scale(quantizer.how.scheme)) return ids;
  const auto add = [&](const char* suffix, const std::vector<float>& values) {
    ids.push_back(
        model.graph.add_initializer(base + suffix, Tensor::from({static_cast<std::int64_t>(values.size())}, values)));
    learned_.push_back(name_of(model.graph, ids.back()));
  };
  add("_scale", quantizer.scale);
  if (quantizer.power_of_two) fixed_.push_back(learned_.back()), learned_.pop_back();
  if (quantizer.how.scheme == ir::FakeScheme::kPact) clipping_points_.push_back(learned_.back());
  if (quantizer.offset) add("_offset", {*quantizer.offset});
  return ids;
}

NodeId QatStudent::insert(const std::string& base, ValueId x, const ir::FakeQuantizer& how,
                          const std::vector<ValueId>& given) {
  std::vector<ValueId> inputs = {x};
  inputs.insert(inputs.end(), given.begin(), given.end());
  const NodeId node = add_student_node(model.graph, base, "FakeQuantize", std::move(inputs), {"rounded", "step"});
  set_attributes(model.graph.node(node), how);
  return node;
}

void QatStudent::insert_activations() {
  Graph& graph = model.graph;
  std::map<std::string, std::size_t> group_of;
  const auto ordered = in_order(graph, plan_.placement);
  for (const auto& [value, group] : ordered) group_of[name_of(graph, value)] = group;
  for (const auto& [value, group] : ordered) {
    const std::string name = name_of(graph, value);
    // Of the float graph: ids are the same, and no FakeQuantize stands between.
    const bool there = passes::stays_on_grid(floats_.graph, value, [&, own = group](ValueId input) {
      const auto found = group_of.find(name_of(floats_.graph, input));
      if (found == group_of.end() || found->second != own) return false;
      const auto readers = readers_of(floats_.graph, plan_.placement, input);
      return std::find(readers.begin(), readers.end(), floats_.graph.producer(value)) != readers.end();
    });
    if (there) {
      steps_[name] = steps_.at(name_of(floats_.graph, floats_.graph.node(floats_.graph.producer(value)).input(0)));
      continue;
    }
    const Quantizer& quantizer = plan_.activations[group];
    const auto readers = readers_of(graph, plan_.placement, value);
    if (!grouped_.count(group)) grouped_[group] = parameters(name, quantizer);
    const NodeId node = insert(name, value, quantizer.how, grouped_[group]);
    steps_[name] = graph.node(node).output(1);
    for (const NodeId reader : readers) {
      const std::vector<ValueId> inputs = graph.node(reader).inputs;
      for (std::size_t slot = 0; slot < inputs.size(); ++slot)
        if (inputs[slot] == value) graph.set_input(reader, slot, graph.node(node).output(0));
    }
  }
}

void QatStudent::insert_weights() {
  Graph& graph = model.graph;
  for (const Layer& layer : plan_.placement.layers) {
    if (!weight_nodes_.count(layer.weight_name)) weight_nodes_[layer.weight_name] = insert_weight(layer);
    graph.set_input(layer.node, 1, rounded_weights_.at(layer.weight_name));
    insert_bias(layer);
  }
}

NodeId QatStudent::insert_weight(const Layer& layer) {
  Graph& graph = model.graph;
  const std::string& name = layer.weight_name;
  const Tensor& weight = *graph.constant(layer.weight.value);
  const Quantizer& quantizer = plan_.weights.at(name);
  ValueId source = layer.weight.value;
  if (const auto clusters = keep_clusters_ ? find_clusters(weight, layer.weight.output_axis) : std::nullopt) {
    ValueId centroids = ir::kNoValue;
    source = insert_clusters(graph, name, *clusters, weight.dims(), centroids);
    shared_[name] = {*clusters, name_of(graph, centroids)};
  }
  const Grouping grouping{weight.dims(), layer.weight.output_axis, quantizer.group};
  if (quantizer.group > 0) source = grouping.insert_gathered(graph, name, source);
  const auto given = parameters(name, quantizer);
  const NodeId node = insert(name, source, quantizer.how, given);
  ValueId out = graph.node(node).output(0);
  if (quantizer.group > 0) out = grouping.insert_scattered(graph, name, out);
  rounded_weights_[name] = out;
  return node;
}

Tensor QatStudent::weight_of(const std::string& initializer) const {
  const Tensor& weight = *model.graph.constant(model.graph.find_value(initializer));
  const auto found = shared_.find(initializer);
  if (found == shared_.end()) return weight;
  const Tensor& centroids = *model.graph.constant(model.graph.find_value(found->second.centroids));
  return clustered_weight(found->second.clusters, centroids, weight.dims());
}

void QatStudent::insert_bias(const Layer& layer) {
  Graph& graph = model.graph;
  const ValueId bias = graph.node(layer.node).input(2);
  if (!plan_.integer_bias || graph.node(layer.node).is("MatMul") || bias == ir::kNoValue) return;
  const auto step = steps_.find(name_of(floats_.graph, floats_.graph.node(layer.node).input(0)));
  if (step == steps_.end()) return;
  const std::string base = name_of(graph, bias) + "_of_" + layer.name;
  ir::Node product;
  product.name = graph.unique_node_name(base + "_step");
  product.op_type = "Mul";
  product.inputs = {graph.node(weight_nodes_.at(layer.weight_name)).output(1), step->second};
  product.outputs = {graph.add_value(base + "_product")};
  const ValueId scale = product.outputs[0];
  graph.add_node(std::move(product));
  ir::FakeQuantizer how{
      .scheme = ir::FakeScheme::kFixed, .low = -(std::int64_t{1} << 31), .high = (std::int64_t{1} << 31) - 1};
  if (plan_.weights.at(layer.weight_name).how.axis >= 0) how.axis = 0;
  graph.set_input(layer.node, 2, graph.node(insert(base, bias, how, {scale})).output(0));
}

passes::QuantParams QatStudent::activation_params(const Quantizer& quantizer, const std::vector<ValueId>& given) const {
  const auto scale = model.graph.constant(given.at(0))->data<float>();
  std::optional<float> offset;
  if (given.size() > 1) offset = model.graph.constant(given[1])->data<float>()[0];
  const ir::FakeLevels grid = ir::fake_levels(quantizer.how, Tensor(DType::kFloat32, {0}), scale, offset);
  if (quantizer.is_signed) return {.scale = grid.steps, .zero_point = {0}, .dtype = DType::kInt8};
  return {.scale = grid.steps,
          .zero_point = {grid.zero_point - static_cast<std::int32_t>(quantizer.how.low)},
          .dtype = DType::kUint8,
          .bits = quantizer.bits};
}

passes::QuantParams QatStudent::weight_params_of(const Layer& layer, Tensor& integers) const {
  const Quantizer& quantizer = plan_.weights.at(layer.weight_name);
  const Tensor weight = weight_of(layer.weight_name);
  const Grouping grouping{weight.dims(), layer.weight.output_axis, quantizer.group};
  const ir::Node& node = model.graph.node(weight_nodes_.at(layer.weight_name));
  const Tensor* scale = ir::derives_scale(quantizer.how.scheme) ? nullptr : model.graph.constant(node.input(1));
  ir::FakeLevels found =
      ir::fake_levels(quantizer.how, quantizer.group > 0 ? grouping.gathered(weight) : weight,
                      scale ? scale->data<float>() : std::span<const float>(), std::nullopt);
  if (quantizer.group > 0) found.levels = grouping.scattered(found.levels);
  const DType narrowest =
      passes::narrowest_type(static_cast<double>(quantizer.how.low), static_cast<double>(quantizer.how.high));
  passes::QuantParams params{.scale = found.steps, .dtype = plan_.bytes ? DType::kInt8 : narrowest};
  params.zero_point.assign(found.steps.size(), 0);
  params.axis = quantizer.group > 0 ? 1 - layer.weight.output_axis : static_cast<int>(quantizer.how.axis);
  params.block = quantizer.group;
  integers = passes::pack_integers(found.levels, weight.dims(), params.dtype);
  return params;
}

void QatStudent::add_weight(const Layer& layer, passes::QdqPlan& plan, int& raised) const {
  const auto [entry, first] = plan.weights.try_emplace(layer.weight_name);
  passes::QuantParams& params = entry->second;
  Tensor& integers = plan.integers[layer.weight_name];
  if (first) params = weight_params_of(layer, integers);
  const ir::Node& node = model.graph.node(layer.node);
  const Tensor* bias = node.is("MatMul") ? nullptr : floats_.graph.constant(floats_.graph.node(layer.node).input(2));
  const auto input = plan.activations.find(name_of(floats_.graph, floats_.graph.node(layer.node).input(0)));
  if (!plan.integer_bias || bias == nullptr || input == plan.activations.end()) return;
  const Tensor* trained =
      model.graph.constant(model.graph.find_value(name_of(floats_.graph, floats_.graph.node(layer.node).input(2))));
  const passes::QuantParams before = params;
  const int raised_here = raise_for_bias(params, input->second.scale[0], trained->data<float>(),
                                         plan_.weights.at(layer.weight_name).power_of_two);
  if (raised_here > 0) integers = passes::quantize_tensor(passes::dequantize_tensor(integers, before), params);
  raised += raised_here;
}

passes::QdqPlan QatStudent::integers(int& raised) const {
  passes::QdqPlan plan;
  plan.integer_bias = plan_.integer_bias;
  for (std::size_t g = 0; g < plan_.activations.size(); ++g) {
    if (!grouped_.count(g)) continue;
    const passes::QuantParams params = activation_params(plan_.activations[g], grouped_.at(g));
    for (const std::string& value : plan_.placement.groups[g]) plan.activations[value] = params;
  }
  for (const Layer& layer : plan_.placement.layers) {
    add_weight(layer, plan, raised);
    plan.nodes.push_back(layer.name);
  }
  plan.readers = plan_.placement.readers;
  return plan;
}

ir::Model QatStudent::floats() const {
  ir::Model out = with_trained(floats_, model);
  for (const auto& [name, unused] : shared_) out.graph.set_constant(out.graph.find_value(name), weight_of(name));
  return out;
}

}  // namespace pare::compress
