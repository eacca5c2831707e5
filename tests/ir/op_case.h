// One node as a model: what unit tests of operators feed.
#pragma once

#include <string>
#include <vector>

#include "ir/infer.h"

namespace pare::testing {

/// A model of one node whose inputs "x0", "x1" … have these types and shapes, and whose outputs are "y0", "y1" ….
inline ir::Model one_node(const std::string& type, std::int64_t opset,
                          const std::vector<std::pair<DType, ir::Shape>>& inputs,
                          const std::map<std::string, ir::AttributeValue>& attributes = {}, int outputs = 1) {
  ir::Model model;
  model.opsets[""] = opset;
  ir::Node node;
  node.name = "the_node";
  node.op_type = type;
  for (const auto& [name, value] : attributes) node.set(name, value);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool omitted = inputs[i].first == DType::kUndefined;
    node.inputs.push_back(omitted ? ir::kNoValue
                                  : model.graph.add_input("x" + std::to_string(i), inputs[i].first, inputs[i].second));
  }
  for (int i = 0; i < outputs; ++i) {
    node.outputs.push_back(model.graph.add_value("y" + std::to_string(i)));
    model.graph.outputs.push_back(node.outputs.back());
  }
  model.graph.add_node(node);
  return model;
}

/// Output "y0" of the node on these tensors; an undefined tensor omits an input. Inference must agree with the result.
inline Tensor run_one(const std::string& type, std::int64_t opset, const std::vector<Tensor>& tensors,
                      const std::map<std::string, ir::AttributeValue>& attributes = {}) {
  std::vector<std::pair<DType, ir::Shape>> inputs;
  NamedTensors named;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    inputs.emplace_back(tensors[i].dtype(), ir::Shape::of(tensors[i].dims()));
    if (tensors[i].defined()) named["x" + std::to_string(i)] = tensors[i];
  }
  return ir::evaluate(one_node(type, opset, inputs, attributes), named).at("y0");
}

/// Inferred shape of "y0" as text.
inline std::string inferred(ir::Model model) {
  ir::infer_shapes(model);
  return to_string(model.graph.value(model.graph.find_value("y0")).shape);
}

}  // namespace pare::testing
