#include "train/network.h"

#include <algorithm>

#include "base/text.h"
#include "train/scope.h"
#include "train/tensors.h"

namespace pare::train {
namespace {

/// Images and convolution weights always travel channels-last: several times faster on CPUs.
at::Tensor laid_out(const at::Tensor& tensor) {
  return tensor.dim() == 4 && tensor.is_floating_point() ? tensor.contiguous(at::MemoryFormat::ChannelsLast)
                                                         : tensor.contiguous();
}

bool fits(const ir::Shape& wanted, const Dims& dims) {
  if (!wanted.ranked()) return true;
  if (wanted.rank() != static_cast<std::int64_t>(dims.size())) return false;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const ir::Dim& dim = wanted[static_cast<std::int64_t>(i)];
    if (dim.is_known() && dim.value() != dims[i]) return false;
  }
  return true;
}

ir::Model with_outputs(ir::Model model, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const ir::ValueId id = model.graph.find_value(name);
    if (id == ir::kNoValue) throw Error(ErrorCode::kBadInput, "value '" + name + "'", "is not in the model");
    model.graph.outputs.push_back(id);
  }
  return model;
}

}  // namespace

Error unsupported(const std::vector<exec::Refusal>& refusals) {
  return Error(ErrorCode::kUnsupported, "model", "cannot be trained: " + ir::describe(refusals));
}

Network::Network(const ir::Model& given, at::Device device, bool trainable, const std::vector<std::string>& features)
    : device_(device) {
  const ir::Model model = with_outputs(expand_fused(given), features);
  const ir::Graph& graph = model.graph;
  std::vector<exec::Refusal> refusals;
  program_ = lower(model, refusals);
  if (!refusals.empty()) throw unsupported(refusals);
  initial_.resize(static_cast<std::size_t>(program_.slot_count));
  for (const ir::ValueId id : graph.values()) {
    const ir::Value& value = graph.value(id);
    if (!value.constant || value.producer != ir::kNoNode || value.consumers.empty()) continue;
    const at::Tensor tensor = to_torch(*value.constant);
    // Integers are shapes, axes and indices: they stay on the CPU, where they are read.
    const bool moves = tensor.is_floating_point();
    initial_[static_cast<std::size_t>(program_.slots.at(id))] = moves ? laid_out(tensor).to(device_) : tensor;
  }
  // What an expansion computed (a dequantized weight) has no place in the model that it could be written back to.
  std::erase_if(program_.roles.parameters,
                [&](ir::ValueId id) { return given.graph.find_value(graph.value(id).name) == ir::kNoValue; });
  add_entries(graph, program_.roles.parameters, trainable, parameters_);
  add_entries(graph, program_.roles.statistics, false, statistics_);
  for (const ir::ValueId id : graph.inputs) {
    const ir::Value& value = graph.value(id);
    inputs_.push_back({value.name, program_.slots.at(id), value.dtype, value.shape});
  }
  for (const ir::ValueId id : graph.outputs) {
    output_slots_.push_back(program_.slots.at(id));
    output_names_.push_back(graph.value(id).name);
    const ir::Value& value = graph.value(id);
    if (value.constant && value.producer == ir::kNoNode)
      initial_[static_cast<std::size_t>(output_slots_.back())] = to_torch(*value.constant).to(device_);
  }
  const auto first_feature = output_slots_.end() - static_cast<std::ptrdiff_t>(features.size());
  feature_slots_.assign(first_feature, output_slots_.end());
  output_slots_.erase(first_feature, output_slots_.end());
  output_names_.resize(output_slots_.size());
  separable_ = find_separable(graph);
}

bool Network::find_separable(const ir::Graph& graph) const {
  const auto free_batch = [](const Input& input) {
    return input.shape.ranked() && input.shape.rank() > 0 && !input.shape[0].is_known();
  };
  const auto mixes = [&](ir::NodeId id) {
    const ir::Node& node = graph.node(id);
    return node.is("BatchNormalization") || node.is("Dropout") || node.op_type == "HardConcrete";
  };
  return !inputs_.empty() && std::all_of(inputs_.begin(), inputs_.end(), free_batch) &&
         std::none_of(graph.nodes().begin(), graph.nodes().end(), mixes);
}

void Network::add_entries(const ir::Graph& graph, const std::vector<ir::ValueId>& ids, bool gradients,
                          std::vector<Entry>& entries) {
  for (const ir::ValueId id : ids) {
    const ir::Value& value = graph.value(id);
    entries.push_back({value.name, program_.slots.at(id), value.constant->dtype()});
    initial_[static_cast<std::size_t>(entries.back().slot)].requires_grad_(gradients);
  }
}

at::Tensor Network::bind_one(const Input& input, const Tensor& tensor) const {
  const std::string subject = "input '" + input.name + "'";
  if (input.dtype != DType::kUndefined && tensor.dtype() != input.dtype) {
    throw Error(ErrorCode::kBadInput, subject, "has the wrong element type", std::string(name(input.dtype)),
                std::string(name(tensor.dtype())));
  }
  if (!fits(input.shape, tensor.dims())) {
    throw Error(ErrorCode::kBadInput, subject, "has the wrong shape", to_string(input.shape), to_string(tensor.dims()));
  }
  const at::Tensor bound = borrow(tensor);
  return (bound.is_floating_point() ? laid_out(bound) : bound).to(device_);
}

std::vector<at::Tensor> Network::bind(const NamedTensors& inputs) const {
  for (const auto& [name, tensor] : inputs) {
    const bool lone = name.empty() && inputs_.size() == 1;
    const bool known =
        std::any_of(inputs_.begin(), inputs_.end(), [&, &key = name](const Input& i) { return i.name == key; });
    if (!known && !lone) throw Error(ErrorCode::kBadInput, "input '" + name + "'", "is not an input of the model");
  }
  std::vector<at::Tensor> bound;
  for (const Input& input : inputs_) {
    auto found = inputs.find(input.name);
    if (found == inputs.end() && inputs_.size() == 1) found = inputs.find("");
    if (found == inputs.end()) throw Error(ErrorCode::kBadInput, "input '" + input.name + "'", "is missing");
    bound.push_back(bind_one(input, found->second));
  }
  return bound;
}

Network::Results Network::run(const std::vector<at::Tensor>& inputs, bool training,
                              const at::Generator& generator) const {
  Frame frame{initial_, training, generator};
  for (std::size_t i = 0; i < inputs_.size(); ++i) frame[inputs_[i].slot] = inputs[i];
  for (const Step& step : program_.steps) {
    guarded(step.node, [&] { step.call(frame); });
    for (const int slot : step.last_uses) frame[slot] = at::Tensor();
  }
  Results results{frame[program_.judged], {}, {}};
  for (const int slot : output_slots_) results.outputs.push_back(frame[slot]);
  for (const int slot : feature_slots_) results.features.push_back(frame[slot]);
  return results;
}

}  // namespace pare::train
