// Activations of fewer bits than their type: where the Clip goes, and that it keeps integers within the bits.
#include "passes/few_bits.h"

#include <gtest/gtest.h>

#include "ir/infer.h"

namespace pare::passes {
namespace {

/// x [1, 4] → `op` → y → MatMul → out
ir::Model chain(const std::string& op, bool second_reader = false) {
  ir::Model model;
  ir::Graph& graph = model.graph;
  const ir::ValueId x = graph.add_input("x", DType::kFloat32, ir::Shape::of({1, 4}));
  const auto add = [&](const std::string& type, const std::vector<ir::ValueId>& inputs, const std::string& output) {
    ir::Node node;
    node.name = type + "_" + output;
    node.op_type = type;
    node.inputs = inputs;
    node.outputs = {graph.add_value(output)};
    return graph.node(graph.add_node(std::move(node))).output(0);
  };
  std::vector<ir::ValueId> inputs = {x};
  if (op == "Clip")
    inputs = {x, graph.add_initializer("min", Tensor::scalar(-0.5F)),
              graph.add_initializer("max", Tensor::scalar(6.0F))};
  const ir::ValueId y = add(op, inputs, "y");
  graph.outputs = {add("MatMul", {y, graph.add_initializer("w", Tensor::from<float>({4, 1}, {1, 1, 1, 1}))}, "out")};
  if (second_reader) graph.outputs.push_back(add("Abs", {y}, "other"));
  ir::infer_shapes(model);
  return model;
}

QdqPlan plan_for(int zero_point) {
  QdqPlan plan;
  plan.nodes = {"MatMul_out"};
  plan.weights["w"] = {.scale = {0.01F}, .zero_point = {0}};
  plan.activations["y"] = {.scale = {0.5F}, .zero_point = {zero_point}, .dtype = DType::kUint8, .bits = 3};
  plan.readers["y"] = {"MatMul_out"};
  return plan;
}

std::vector<int> integers_of(ir::Model model) {
  model.graph.outputs = {model.graph.find_value("y_quantized")};
  ir::infer_shapes(model);
  const NamedTensors out = ir::evaluate(model, {{"x", Tensor::from<float>({1, 4}, {-9, -0.4F, 1.3F, 99})}});
  const auto q = out.begin()->second.data<std::uint8_t>();
  return {q.begin(), q.end()};
}

TEST(FewBits, AReluTakesTheBoundsOver) {
  ir::Model model = chain("Relu");
  insert_qdq(model, plan_for(0));
  EXPECT_EQ(model.graph.node(model.graph.producer(model.graph.find_value("y"))).op_type, "Clip");
  EXPECT_EQ(model.graph.find_node("Relu_y"), model.graph.producer(model.graph.find_value("y")));
  EXPECT_EQ(integers_of(model), (std::vector<int>{0, 0, 3, 7}));
}

TEST(FewBits, AClipIsNarrowed) {
  ir::Model model = chain("Clip");
  insert_qdq(model, plan_for(2));
  EXPECT_EQ(integers_of(model), (std::vector<int>{1, 1, 5, 7}));
  EXPECT_EQ(model.graph.find_value("min"), ir::kNoValue);
}

TEST(FewBits, OthersGetOneOfTheirOwn) {
  ir::Model model = chain("Identity");
  insert_qdq(model, plan_for(2));
  EXPECT_EQ(model.graph.node(model.graph.producer(model.graph.find_value("y"))).op_type, "Identity");
  EXPECT_EQ(integers_of(model), (std::vector<int>{0, 1, 5, 7}));
}

TEST(FewBits, WhatElseReadsTheValueSeesItUnclipped) {
  ir::Model model = chain("Relu", true);
  insert_qdq(model, plan_for(0));
  EXPECT_EQ(model.graph.node(model.graph.producer(model.graph.find_value("y"))).op_type, "Relu");
  const Tensor other = ir::evaluate(model, {{"x", Tensor::from<float>({1, 4}, {-9, -0.4F, 1.3F, 99})}}).at("other");
  EXPECT_EQ(other.data<float>()[3], 99);
  EXPECT_EQ(integers_of(model), (std::vector<int>{0, 0, 3, 7}));
}

TEST(FewBits, AllBitsNeedNoClip) {
  ir::Model model = chain("Relu");
  QdqPlan plan = plan_for(0);
  plan.activations["y"].bits = 8;
  insert_qdq(model, plan);
  EXPECT_EQ(model.graph.node(model.graph.producer(model.graph.find_value("y"))).op_type, "Relu");
}

}  // namespace
}  // namespace pare::passes
