#include "ir/verify.h"

#include <gtest/gtest.h>

#include "pare/error.h"

namespace pare::ir {
namespace {

Model relu_model() {
  Model model;
  Graph& graph = model.graph;
  const ValueId x = graph.add_input("x", DType::kFloat32, Shape({1}));
  const ValueId y = graph.add_value("y");
  graph.add_node({.name = "relu", .op_type = "Relu", .inputs = {x}, .outputs = {y}});
  graph.outputs = {y};
  return model;
}

void expect_complaint(const Model& model, const std::string& part) {
  const std::vector<std::string> broken = verify(model);
  ASSERT_FALSE(broken.empty());
  EXPECT_NE(broken.front().find(part), std::string::npos) << broken.front();
  EXPECT_THROW(require_valid(model, "m.onnx"), Error);
}

TEST(Verify, AcceptsAValidModel) { EXPECT_TRUE(verify(relu_model()).empty()); }

TEST(Verify, UndefinedInput) {
  Model model = relu_model();
  model.graph.set_input(model.graph.find_node("relu"), 0, model.graph.add_value("ghost"));
  expect_complaint(model, "node 'relu' reads 'ghost', which nothing produces");
}

TEST(Verify, WrongOrder) {
  Model model = relu_model();
  const ValueId late = model.graph.add_value("late");
  model.graph.set_input(model.graph.find_node("relu"), 0, late);
  model.graph.add_node({.name = "neg", .op_type = "Neg", .inputs = {model.graph.find_value("x")}, .outputs = {late}});
  expect_complaint(model, "produced only later");
}

TEST(Verify, UnproducedOutput) {
  Model model = relu_model();
  model.graph.outputs.push_back(model.graph.add_value("nothing"));
  expect_complaint(model, "graph output 'nothing'");
}

TEST(Verify, MissingOpsetImport) {
  Model model = relu_model();
  model.graph.node(model.graph.find_node("relu")).domain = "com.example";
  expect_complaint(model, "com.example");
}

TEST(Verify, ArityAndAttributes) {
  Model model = relu_model();
  model.graph.set_input(model.graph.find_node("relu"), 1, model.graph.find_value("x"));
  expect_complaint(model, "2 inputs, expected 1");
  model = relu_model();
  model.graph.node(model.graph.find_node("relu")).set("slope", 1.0f);
  expect_complaint(model, "unknown attribute 'slope'");
}

TEST(Verify, MaskOfAnotherShape) {
  Model model = relu_model();
  const ValueId w = model.graph.add_initializer("w", Tensor(DType::kFloat32, {2}));
  model.graph.value(w).mask = Tensor(DType::kUint8, {3});
  expect_complaint(model, "mask of another shape");
}

}  // namespace
}  // namespace pare::ir
