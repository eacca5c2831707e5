// Fused and QOperator nodes become what defines them, and mean the same.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "base/float16.h"
#include "ir/infer.h"
#include "ir/op_case.h"
#include "passes/pass.h"

namespace pare::testing {
namespace {

using ir::Shape;

std::set<std::string> types_of(const ir::Model& model) {
  std::set<std::string> types;
  for (ir::NodeId id : model.graph.nodes()) types.insert(model.graph.node(id).op_type);
  return types;
}

/// QLinearConv whose scales and weight are constants, as quantizers write it.
ir::Model qlinear_conv(std::int64_t opset) {
  ir::Model model = one_node("QLinearConv", opset,
                             {{DType::kUint8, Shape::of({1, 2, 4, 4})},
                              {DType::kFloat32, Shape::of({})},
                              {DType::kUint8, Shape::of({})},
                              {DType::kInt8, Shape::of({3, 2, 3, 3})},
                              {DType::kFloat32, Shape::of({3})},
                              {DType::kInt8, Shape::of({3})},
                              {DType::kFloat32, Shape::of({})},
                              {DType::kUint8, Shape::of({})},
                              {DType::kInt32, Shape::of({3})}});
  ir::Graph& graph = model.graph;
  Tensor weight(DType::kInt8, {3, 2, 3, 3});
  for (std::size_t i = 0; i < 54; ++i)
    weight.mutable_data<std::int8_t>()[i] = static_cast<std::int8_t>(i * 37 % 101 - 50);
  const std::vector<Tensor> fixed = {Tensor::scalar(0.02F),
                                     Tensor::scalar<std::uint8_t>(120),
                                     weight,
                                     Tensor::from<float>({3}, {0.01F, 0.02F, 0.005F}),
                                     Tensor(DType::kInt8, {3}),
                                     Tensor::scalar(0.05F),
                                     Tensor::scalar<std::uint8_t>(128),
                                     Tensor::from<std::int32_t>({3}, {100, -200, 300})};
  for (std::size_t i = 0; i < fixed.size(); ++i) {
    const ir::ValueId id = graph.inputs[1];
    graph.inputs.erase(graph.inputs.begin() + 1);
    graph.set_constant(id, fixed[i]);
  }
  return model;
}

NamedTensors run(const ir::Model& model) {
  Tensor x(DType::kUint8, {1, 2, 4, 4});
  for (std::size_t i = 0; i < 32; ++i) x.mutable_data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i * 53 % 256);
  return ir::evaluate(model, {{"x0", x}});
}

TEST(Expand, QOperatorFormBecomesQdqForm) {
  ir::Model model = qlinear_conv(13);
  const NamedTensors before = run(model);
  passes::simplify(model);
  EXPECT_EQ(types_of(model), (std::set<std::string>{"Conv", "DequantizeLinear", "QuantizeLinear"}));
  EXPECT_TRUE(run(model).at("y0").identical(before.at("y0")));
}

TEST(Expand, AnOlderOperatorSetIsRaised) {
  ir::Model model = qlinear_conv(11);
  passes::simplify(model);
  EXPECT_EQ(model.opset(), 13);
  EXPECT_FALSE(types_of(model).contains("QLinearConv"));
}

ir::Model fused_matmul(const Shape& a) {
  ir::Model model = one_node("FusedMatMul", 17, {{DType::kFloat32, a}, {DType::kFloat32, Shape::of({4, 2})}},
                             {{"transA", std::int64_t{1}}, {"alpha", 0.5F}});
  model.opsets["com.microsoft"] = 1;
  model.graph.node(model.graph.nodes()[0]).domain = "com.microsoft";
  return model;
}

TEST(Expand, FusedNodesStayInModelsAndExpandForExecution) {
  ir::Model model = fused_matmul(Shape::of({4, 3}));
  passes::simplify(model);
  EXPECT_EQ(types_of(model), (std::set<std::string>{"FusedMatMul"}));
  const NamedTensors inputs = {{"x0", Tensor::from<float>({4, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})},
                               {"x1", Tensor::from<float>({4, 2}, {1, 0, 0, 1, 1, 1, 2, 0})}};
  const NamedTensors before = ir::evaluate(model, inputs);
  static constexpr std::string_view kNames[] = {"expand_fused", "erase_dead"};
  passes::run_passes(model, kNames);
  EXPECT_EQ(types_of(model), (std::set<std::string>{"MatMul", "Mul", "Transpose"}));
  EXPECT_TRUE(ir::evaluate(model, inputs).at("y0").identical(before.at("y0")));
}

TEST(Expand, WhatDependsOnAnUnknownRankStays) {
  ir::Model model = fused_matmul(Shape());
  static constexpr std::string_view kNames[] = {"expand_fused", "erase_dead"};
  EXPECT_EQ(passes::run_passes(model, kNames), 0);
  EXPECT_EQ(types_of(model), (std::set<std::string>{"FusedMatMul"}));
}

}  // namespace
}  // namespace pare::testing
